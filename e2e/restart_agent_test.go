//go:build e2e

package e2e

// Lab only: it kills agents.

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// The agent dies while a pod waits in ADD for its network, while another waits
// for OVN's flows, and while pods are unplugged.
func TestAgentKilled(t *testing.T) {
	first, second := nodes(t)[0], nodes(t)[1]
	whole := newLoneScenario(t)
	whole.pair(first, second)
	for name, tc := range map[string]struct {
		when   string
		kept   string
		action func(s *scenario)
	}{
		"waiting for the network": {when: "while a pod waited for its network", kept: "pods' traffic; the pod comes up", action: func(s *scenario) {
			s.apply(pod{name: "early", node: first, networks: "late"}.String())
			s.says("NetworkNotFound", "get", "l2att", "-o", "wide")
			kill(t, first, agentProgram)
			s.apply(network("late", "10.71.0.0/24"))
			s.ready("early")
			s.wiredOnce("early")
			s.kubectl("delete", "pod/early", "l2net/late")
		}},
		"waiting for flows": {when: "while a pod waited for its flows", kept: "pods' traffic; the pod comes up", action: func(s *scenario) {
			s.withoutController(first, func() {
				s.hanging("slow", first)
				kill(t, first, agentProgram)
			})
			s.ready("slow")
			s.wiredOnce("slow")
			s.pings("slow", "10.70.255.2")
			s.kubectl("delete", "pod", "slow")
		}},
		"pod deleted meanwhile": {when: "while a pod waited for its flows, and the pod deleted", kept: "pods' traffic; nothing is left of the pod", action: func(s *scenario) {
			s.withoutController(first, func() {
				s.hanging("gone", first)
				kill(t, first, agentProgram)
				s.kubectl("delete", "pod", "gone", "--timeout=60s")
			})
			s.expectUnplugged("gone")
		}},
		"unplugging": {when: "while four pods were deleted", kept: "pods' traffic; nothing is left of the pods", action: func(s *scenario) {
			var pods, names []string
			for i := range 4 {
				names = append(names, fmt.Sprintf("leaving-%d", i))
				pods = append(pods, pod{name: names[i], node: first, networks: "net"}.String())
			}
			s.apply(pods...)
			s.ready(names...)
			s.kubectl(append([]string{"delete", "--wait=false", "pod"}, names...)...)
			time.Sleep(rand.N(500 * time.Millisecond))
			kill(t, first, agentProgram)
			s.kubectl(append([]string{"wait", "--for=delete", "--timeout=80s", "pod"}, names...)...)
			for _, name := range names {
				s.expectUnplugged(name)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			f := s.losesNothing(func() {
				tc.action(s)
				s.stillServes()
			})
			s.report("l2sm-agent killed (-9) "+tc.when, tc.kept, f)
		})
	}
}

// withoutController stops ovn-controller on a node, does the action, and lets
// it go on. What is plugged meanwhile gets no flows.
func (s *scenario) withoutController(name string, action func()) {
	s.Helper()
	send(s.T, "STOP", name, ovnController)
	defer send(s.T, "CONT", name, ovnController)
	action()
}

// hanging creates a pod on a node without ovn-controller, and returns when it
// is plugged and waits.
func (s *scenario) hanging(name, where string) {
	s.Helper()
	s.apply(pod{name: name, node: where, networks: "net"}.String())
	s.eventually(name+" is plugged", func() error {
		if len(s.interfaces(name)) == 0 {
			return fmt.Errorf("it has no interface in Open vSwitch")
		}
		return nil
	})
	if out := s.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}"); out != "Pending" {
		s.Errorf("a pod without flows is %s", out)
	}
}

// interfaces are those of a pod in Open vSwitch, with their nodes.
func (s *scenario) interfaces(pod string) []string {
	s.Helper()
	var found []string
	for _, n := range nodes(s.T) {
		out := node(s.T, n, "ovs-vsctl", "--bare", "--columns=external_ids", "find", "Interface")
		for line := range strings.Lines(out) {
			if strings.Contains(line, "iface-id=l2sm/"+s.namespace+"/"+pod+"-net") {
				found = append(found, n+": "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

// wiredOnce asserts that a pod of one network has one interface.
func (s *scenario) wiredOnce(pod string) {
	s.Helper()
	if found := s.interfaces(pod); len(found) != 1 {
		s.Errorf("want one interface of pod %s, got %d:\n%s", pod, len(found), strings.Join(found, "\n"))
	}
}

// expectUnplugged asserts that nothing is left of a pod.
func (s *scenario) expectUnplugged(pod string) {
	s.Helper()
	s.eventually("no interface of pod "+pod, func() error {
		if found := s.interfaces(pod); len(found) > 0 {
			return fmt.Errorf("found %s", strings.Join(found, ", "))
		}
		return nil
	})
}
