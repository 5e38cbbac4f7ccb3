//go:build integration

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// An empty northbound database is marked once it holds every network again,
// and not before: nodes follow the mark.
func TestDatabaseIsMarkedWhenFull(t *testing.T) {
	const networks = 20
	g := NewWithT(t)
	w := start(t)
	marked := func() {
		w.eventually(func(g Gomega) { g.Expect(w.NB.Get("NB_Global", ".", "nb_cfg")).To(Equal("1")) })
	}
	marked() // without any network
	for i := range networks {
		n := w.network(fmt.Sprintf("n%d", i), v1alpha1.L2NetworkSpec{})
		w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed", "")
	}

	for range 3 {
		w.NB.Wipe()
		held := w.NB.Ctl("wait-until", "NB_Global", ".", "nb_cfg>0", "--", "ls-list")
		g.Expect(strings.Count(held, "l2sm/"+w.namespace+"/")).To(Equal(networks), "networks in the snapshot that has the mark")
	}

	// A network that is refused keeps the mark from nobody.
	w.stop()
	w.NB.Wipe()
	w.NB.Ctl("ls-add", "l2sm/"+w.namespace+"/n0")
	w.run()
	marked()
	g.Expect(w.switches()).To(HaveLen(networks))
}
