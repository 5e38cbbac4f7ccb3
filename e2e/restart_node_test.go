//go:build e2e

package e2e

// Lab only: it stops nodes.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A node loses power and boots again: its pods run again with their addresses,
// and nothing stale is left of them.
func TestNodeKilledAndBack(t *testing.T) {
	s := newLoneScenario(t)
	victim, first, second := threeNodes(t)
	s.pair(first, second)
	s.apply(pod{name: "there", node: victim, networks: static("net", "10.70.255.9")}.String())
	s.ready("there")
	f := s.losesNothing(func() {
		s.lose(victim)
		power(t, "start", victim)
		s.eventually("the pod answers again at its address", func() error {
			out, err := s.try("exec", "ping", "--", "ping", "-c", "1", "-W", "1", "10.70.255.9")
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
		s.ready("there")
		s.stillServes()
	})
	s.report("a node killed and back", "pods' traffic between the others; its pods came back with their addresses", f)
	s.wiredOnce("there")
	s.sameChassis()
	s.consistent()
	system(t, "wait", "--for=condition=Ready", "pods", "--all", "--timeout=80s")
}

// A node goes for good: its chassis and its ports go, and its pods run
// elsewhere. Then it joins again, as a new one.
func TestNodeRemoved(t *testing.T) {
	s := newLoneScenario(t)
	victim, first, second := threeNodes(t)
	s.pair(first, second)
	s.apply(deployment("moving", "net", victim))
	s.kubectl("rollout", "status", "deploy/moving", "--timeout=80s")
	f := s.losesNothing(func() {
		s.lose(victim)
		s.kubectl("delete", "node", victim)
		s.eventually("no chassis "+victim, func() error {
			names, err := chassis()
			if err != nil {
				return fmt.Errorf("%w: %s", err, names)
			}
			return mentions(names, victim)
		})
		s.eventually("the pod runs elsewhere, attached", func() error {
			out := s.kubectl("get", "l2att", "-o", `jsonpath={range .items[*]}{.spec.podName}@{.spec.nodeName}={.status.conditions[?(@.type=="Ready")].status} {end}`)
			for _, a := range strings.Fields(out) {
				if strings.Contains(a, "@"+victim+"=") || strings.HasPrefix(a, "moving-") && !strings.HasSuffix(a, "=True") {
					return fmt.Errorf("attachments are %s", out)
				}
			}
			return nil
		})
		power(t, "start", victim)
		s.says("True", "get", "node", victim, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		system(t, "rollout", "status", "ds/ovn-node", "--timeout=80s")
		system(t, "rollout", "status", "ds/l2sm-agent", "--timeout=80s")
		s.apply(pod{name: "back", node: victim, networks: "net"}.String())
		s.ready("back")
		s.pings("back", "10.70.255.1")
		s.kubectl("delete", "pod", "back")
		s.stillServes()
	})
	s.report("a node removed for good, and joined again as a new one", "pods' traffic between the others; its pods run elsewhere, its chassis and ports are gone", f)
	s.sameChassis()
	s.consistent()
}

// threeNodes are a node to lose, without OVN's databases, and two others.
func threeNodes(t *testing.T) (victim, first, second string) {
	t.Helper()
	victim = otherNodes(t, centralNode(t))[0]
	others := otherNodes(t, victim)
	return victim, others[0], others[1]
}

// otherNodes are all nodes but one.
func otherNodes(t *testing.T, but string) []string {
	t.Helper()
	return slices.DeleteFunc(nodes(t), func(n string) bool { return n == but })
}

// lose cuts a node's power.
func (s *scenario) lose(name string) {
	s.Helper()
	power(s.T, "stop", name)
	s.Cleanup(func() {
		_, _ = lab("start", name) // it is up already, unless the test failed between
	})
}
