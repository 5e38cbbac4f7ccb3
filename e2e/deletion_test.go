//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
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
		if out, err := lab("kubectl", "create", "namespace", owner.namespace); err != nil {
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

	if out, err := lab("kubectl", "delete", "namespace", owner.namespace, "--timeout=60s"); err != nil {
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

// Without a controller a network's deletion hangs, and the way out that the
// controller's page documents works.
func TestWayOutWithoutController(t *testing.T) {
	s := newLoneScenario(t)
	s.apply(network("net", "10.125.0.0/24"))
	s.says("True", "get", "l2net", "net", "-o", `jsonpath={.status.conditions[?(@.type=="Programmed")].status}`)
	withoutController(t, func() {
		if out, err := s.try("delete", "l2net", "net", "--timeout=3s"); err == nil {
			s.Errorf("a network went without a controller: %s", out)
		}
		runReadme(t, filepath.Join(repository(), "docs", "l2sm-controller.md"))
		s.eventually("the network is gone", func() error {
			if out := s.kubectl("get", "l2net", "-o", "name"); out != "" {
				return fmt.Errorf("found %s", out)
			}
			return nil
		})
	})
}

// withoutController does the action while no controller runs.
func withoutController(t *testing.T, action func()) {
	t.Helper()
	system(t, "scale", "deploy/l2sm-controller", "--replicas=0")
	defer func() {
		system(t, "scale", "deploy/l2sm-controller", "--replicas=2")
		system(t, "rollout", "status", "deploy/l2sm-controller", "--timeout=80s")
	}()
	system(t, "wait", "--for=delete", "--timeout=60s", "pod", "-l", "app.kubernetes.io/name=l2sm-controller")
	action()
}
