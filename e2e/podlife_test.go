//go:build e2e || conformance

package e2e

import (
	"fmt"
	"testing"
)

func TestPodWaitsForItsNetwork(t *testing.T) {
	s := newScenario(t)
	early := pod{name: "early", networks: "late"}
	if _, err := kubectl("get", "mutatingadmissionpolicybinding", "l2sm-pod-networks"); err != nil {
		early.multus = "l2sm-system/l2sm" // what the policy would have given it: without, it runs and is attached late
	}
	s.apply(early.String())
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
