//go:build integration

package controllers_test

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
)

// tunnelNode makes a Node, and an L2Node whose tunnels start at the address.
func (w *world) tunnelNode(name, address string, labels map[string]string) {
	w.t.Helper()
	node, own := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.create(node)
	w.t.Cleanup(func() { _ = w.Delete(context.Background(), node) })
	w.tunnels(own, address)
}

// tunnels makes an L2Node as its agent does.
func (w *world) tunnels(own *v1alpha1.L2Node, address string) {
	w.t.Helper()
	w.create(own)
	w.t.Cleanup(func() { _ = w.Delete(context.Background(), own) }) // the API server ends with the tests
	own.Status.TunnelAddresses = []string{address}
	if err := w.Status().Update(w.t.Context(), own); err != nil {
		w.t.Fatal(err)
	}
}

// Each database that starts empty gets the nodes when northd has filled it: those that
// there are, that have an address of their own, and that are not shut out.
func TestNodesInANewDatabase(t *testing.T) {
	w := start(t)
	name := func(s string) string { return s + "-" + w.namespace }
	w.tunnelNode(name("plain"), "192.0.2.1", nil)
	w.tunnelNode(name("liar"), "192.0.2.2", nil)
	w.tunnelNode(name("victim"), "192.0.2.2", nil)
	w.tunnelNode(name("shut-out"), "192.0.2.3", map[string]string{identity.RevokedLabel: ""})
	w.tunnels(&v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: name("gone")}}, "192.0.2.4")
	w.restart() // with caches that have them all
	chassis := func() []string { return strings.Fields(w.SB.Ctl("--bare", "--columns=name", "list", "Chassis")) }
	marked := func() string { return w.SB.Ctl("get", "SB_Global", ".", "external_ids") }

	for range 2 {
		w.consistently(func(g Gomega) { g.Expect(chassis()).To(BeEmpty(), "a database that is not filled") })
		w.SB.Ctl("set", "SB_Global", ".", "nb_cfg=1")
		w.eventually(func(g Gomega) { g.Expect(marked()).To(ContainSubstring("l2sm-registered=")) })
		if got := chassis(); len(got) != 1 || got[0] != name("plain") {
			t.Errorf("chassis are %v, want %s alone", got, name("plain"))
		}
		w.SB.Wipe()
	}
}
