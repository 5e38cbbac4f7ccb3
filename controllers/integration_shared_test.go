//go:build integration

package controllers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/pki"
)

// The authority of v0.1.0 is trusted exactly while a node runs ovn-node of that
// version: from the start, after it is taken back, and no longer.
func TestSharedAuthorityOfTheFormerVersion(t *testing.T) {
	former, err := pki.NewAuthority("l2sm", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := startIdentities(t, time.Hour)
	dir := t.TempDir()
	defer w.keep("id-s", w.agentOf("id-s"), dir)()
	told := func(authority string) {
		t.Helper()
		w.eventually(func(g Gomega) {
			own := w.secret()
			g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(own), own)).To(Succeed())
			trust := w.NB.Ctl("--if-exists", "get", "NB_Global", ".", "external_ids:l2sm-node-trust")
			trust = strings.ReplaceAll(strings.Trim(trust, "\"\n"), `\n`, "\n")
			g.Expect(trust).To(Equal(string(own.Data["tls.crt"])+authority), "what the southbound database trusts")
			ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(ca)).To(Equal(w.control+authority), "what the node trusts")
		})
	}
	told("")

	old := w.ovnNode("ovn-node-old", nil)
	w.create(old)
	w.stop()
	w.shared = string(former.Pair().Certificate) // as of the controller's Secret, which ovn-central wrote
	w.run()
	told(w.shared)

	// Another of this version does not count, and the last one ends it.
	w.create(w.ovnNode("ovn-node-new", map[string]string{"l2sm.io/own-certificate": "true"}))
	w.remove(old)
	told("")

	again := w.ovnNode("ovn-node-again", nil)
	w.create(again)
	told(w.shared)
	w.remove(again)
	told("")
	w.remove(w.ovnNode("ovn-node-new", nil))
}

// ovnNode is a pod of ovn-node, as far as the controller looks.
func (w *world) ovnNode(name string, labels map[string]string) *corev1.Pod {
	all := map[string]string{"app.kubernetes.io/name": "ovn-node"}
	for key, value := range labels {
		all[key] = value
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name, Labels: all},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
}
