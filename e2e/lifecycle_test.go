//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestPodWaitsForItsNetwork(t *testing.T) {
	s := newScenario(t)
	s.apply(pod{name: "early", networks: "late"}.String())
	s.says("late", "get", "events", "--field-selector", "involvedObject.name=early,reason=NetworkNotFound")
	s.says("NetworkNotFound", "get", "l2att", "-o", "wide")
	if phase := s.kubectl("get", "pod", "early", "-o", "jsonpath={.status.phase}"); phase != "Pending" {
		s.Errorf("a pod without its network is %s", phase)
	}
	s.apply(network("late", "10.33.0.0/24"))
	s.ready("early")
	s.address("early", "net1", 4)
}

func TestDeleteLeavesNoTrace(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.34.0.0/24"),
		pod{name: "a", node: nodes(t)[0], networks: "net,net"}.String(),
		pod{name: "b", node: nodes(t)[1], networks: "net"}.String())
	s.ready("a", "b")
	s.kubectl("delete", "pod", "a", "b")
	s.eventually("no attachment is left", func() error {
		if out := s.kubectl("get", "l2att", "-o", "name"); out != "" {
			return fmt.Errorf("found %s", out)
		}
		return nil
	})
	s.kubectl("delete", "l2net", "net", "--timeout=30s")
	s.expectNoTrace()
	s.eventually("the NetworkAttachmentDefinition is gone", func() error {
		out, err := s.try("get", "net-attach-def", "net", "--ignore-not-found", "-o", "name")
		if out != "" {
			return fmt.Errorf("kubectl says %q", out)
		}
		return err
	})
}

// A pod waits where the pool is exhausted, and is served when an address is
// given back.
func TestExhaustedPoolServesTheNext(t *testing.T) {
	s := newScenario(t)
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.35.0.0/24"], ranges: ["10.35.0.5"]}}`),
		pod{name: "first", networks: "net"}.String())
	s.ready("first")
	s.apply(pod{name: "second", networks: "net"}.String())
	s.says("AddressesExhausted", "get", "l2att", "-o", "wide")
	s.says("AddressesExhausted", "get", "events")
	s.kubectl("delete", "pod", "first")
	s.ready("second")
	if got := s.address("second", "net1", 4); got != "10.35.0.5" {
		s.Errorf("want the one address 10.35.0.5, got %s", got)
	}
}

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
