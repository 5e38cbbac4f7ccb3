//go:build e2e

package e2e

// Lab only: it kills a sandbox on its node.

import (
	"fmt"
	"strings"
	"testing"
)

// A sandbox that dies is re-created under the same pod UID: the new one is
// wired with the same address, and the old one's port is gone.
func TestSandboxIsRecreated(t *testing.T) {
	s := newScenario(t)
	n := nodes(t)[1]
	s.apply(network("net", "10.36.0.0/24"),
		pod{name: "victim", node: n, networks: static("net", "10.36.0.10")}.String(),
		pod{name: "witness", node: nodes(t)[0], networks: "net"}.String())
	s.ready("victim", "witness")
	s.pings("witness", "10.36.0.10")
	uid := s.kubectl("get", "pod", "victim", "-o", "jsonpath={.metadata.uid}")
	sandbox := func() string {
		return strings.TrimSpace(node(t, n, "ovs-vsctl", "--bare", "--columns=name", "find", "Interface", "external_ids:iface-id-ver="+uid))
	}
	before := sandbox()
	s.endSandbox(n, "victim")
	s.eventually("a new sandbox is wired", func() error {
		if now := sandbox(); now == "" || now == before || strings.Contains(now, "\n") {
			return fmt.Errorf("OVS has %q, before it was %q", now, before)
		}
		return nil
	})
	s.ready("victim")
	s.eventually("the victim answers again", func() error {
		_, err := s.try("exec", "witness", "--", "ping", "-c", "1", "-W", "1", "10.36.0.10")
		return err
	})
	if now := s.kubectl("get", "pod", "victim", "-o", "jsonpath={.metadata.uid}"); now != uid {
		s.Errorf("the pod was replaced: UID %s became %s", uid, now)
	}
}
