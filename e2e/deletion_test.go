//go:build e2e || conformance

package e2e

import (
	"testing"
)

// A namespace can be deleted with networks that other namespaces use. Those
// pods run on, their attachments say why they have no port, and are served
// when the network is re-created.
func TestNamespaceDeletedWithForeignAttachments(t *testing.T) {
	s := newScenario(t)
	owner := &scenario{T: t, namespace: s.namespace + "-owner"}
	shared := networkSpec("shared", `{allowedNamespaces: {from: All}, ipam: {subnets: ["10.124.0.0/24"]}}`)
	create := func() {
		if out, err := createNamespace(owner.namespace); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		owner.apply(shared)
	}
	create()
	t.Cleanup(owner.end)
	s.apply(pod{name: "a", node: nodes(t)[0], networks: owner.namespace + "/shared"}.String(),
		pod{name: "b", node: nodes(t)[1], networks: owner.namespace + "/shared"}.String())
	s.ready("a", "b")
	to := s.address("b", "net1", 4)
	s.pings("a", to)

	if out, err := kubectl("delete", "namespace", owner.namespace, "--timeout=60s"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.eventually("both attachments say NetworkGone or NetworkNotFound", func() error {
		out := s.kubectl("get", "l2att", "-o", `jsonpath={range .items[*]}{.status.conditions[?(@.type=="Accepted")].status} {end}`)
		return differs("False False", out)
	})
	s.ready("a", "b")
	if out, err := s.try("exec", "a", "--", "ping", "-c", "2", "-i", "0.2", "-W", "1", to); err == nil {
		s.Errorf("a network that is gone still carries:\n%s", out)
	}

	create()
	s.reaches("a", to)
	if now := s.address("b", "net1", 4); now != to {
		s.Errorf("the address was %s and is %s", to, now)
	}
	s.kubectl("delete", "pod", "a", "b")
}
