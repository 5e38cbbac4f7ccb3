//go:build integration

package controllers_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// A pod that the controller looks at again before it has seen all that it made
// gets nothing twice.
func TestLateWatchMakesNothingTwice(t *testing.T) {
	for name, networks := range map[string]string{"two networks": "a,b", "one network twice": "b,b"} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.network("a", v1alpha1.L2NetworkSpec{})
			w.network("b", subnets("10.0.0.0/24"))
			release := w.lag.hold(func(event string) bool { return strings.Contains(event, `"interface":"net2"`) })
			w.pod("p", networks)
			interfaces := func(g Gomega) {
				var names []string
				for _, a := range w.attachments("p") {
					names = append(names, a.Spec.Interface)
				}
				g.Expect(names).To(ConsistOf("net1", "net2"))
			}
			w.eventually(interfaces)
			w.consistently(interfaces)
			release()
			w.attached("p", 2)
		})
	}
}

// What the controller says of a network is right in the end, however late it
// sees what it said before.
func TestLateWatchOfANetworksStatus(t *testing.T) {
	w := start(t)
	n := w.network("n", v1alpha1.L2NetworkSpec{})
	counts := func(want int32) {
		t.Helper()
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(n), n)).To(Succeed())
			g.Expect(n.Status.Attachments).To(Equal(want))
		})
	}
	w.pod("stays", "n")
	w.attached("stays", 1)
	counts(1)

	release := w.lag.hold(func(event string) bool { return strings.Contains(event, `"kind":"L2Network"`) })
	goes := w.pod("goes", "n")
	counts(2)
	w.remove(goes)
	w.eventually(func(g Gomega) { g.Expect(w.ports("n")).To(HaveLen(1)) })
	w.consistently(func(g Gomega) { g.Expect(w.ports("n")).To(HaveLen(1)) })
	release()
	counts(1)
}

// A pod that is gone gets nothing any more, although the controller sees last
// that it is.
func TestLateWatchOfAPodsEnd(t *testing.T) {
	w := start(t)
	w.network("n", v1alpha1.L2NetworkSpec{})
	pod := w.pod("p", "n")
	a := w.attached("p", 1)[0]
	release := w.lag.hold(func(event string) bool {
		return strings.Contains(event, `"kind":"Pod"`) && strings.Contains(event, "deletionTimestamp")
	})
	w.remove(pod)
	w.remove(&a) // as Kubernetes' garbage collector does
	none := func(g Gomega) { g.Expect(w.attachments("p")).To(BeEmpty()) }
	w.consistently(none)
	release()
	w.consistently(none)
}
