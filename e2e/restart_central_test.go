//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// ovn-central is replaced while no controller runs: its empty databases stay
// closed to the nodes, which go on as they were told last, until a controller
// has filled them.
func TestCentralReplacedWithoutController(t *testing.T) {
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	f := s.breaksFor(time.Second, func() {
		withoutController(t, func() {
			system(t, "rollout", "restart", "deploy/ovn-central")
			system(t, "rollout", "status", "deploy/ovn-central", "--timeout=80s")
			time.Sleep(10 * time.Second) // as long as an ovn-controller waits between two attempts
		})
		s.stillServes()
	})
	s.report("ovn-central replaced while no l2sm-controller ran", "pods' traffic, ports and TCP connections", f)
	s.sameChassis()
	s.consistent()
}

// The node with OVN's databases goes: they start empty on another one, long
// before it is back. Once they are filled nodes come to them one by one, as each
// tries again after 8 s at most, and a node finds the others' ports when those
// have come too.
func TestNodeOfCentralLost(t *testing.T) {
	s := newLoneScenario(t)
	victim := centralNode(t)
	var others []string
	for _, n := range nodes(t) {
		if n != victim {
			others = append(others, n)
		}
	}
	s.pair(others[0], others[1])
	var served time.Duration
	f := s.breaksFor(10*time.Second, func() {
		began := time.Now()
		s.lose(victim)
		s.says("Unknown", "get", "node", victim, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		s.eventually("ovn-central on another node", func() error {
			out := system(t, "get", "pod", "-l", "app.kubernetes.io/name=ovn-central",
				"-o", `jsonpath={range .items[*]}{.spec.nodeName}={.status.conditions[?(@.type=="Ready")].status} {end}`)
			for _, n := range others {
				if mentions(out, n+"=True") != nil {
					return nil
				}
			}
			return fmt.Errorf("it is on %s", out)
		})
		s.stillServes()
		served = time.Since(began)
		power(t, "start", victim)
		s.says("True", "get", "node", victim, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	})
	s.report("the node with ovn-central lost",
		fmt.Sprintf("pods' traffic between the others; new pods ran on them after %.0f s", served.Seconds()), f)
	system(t, "wait", "--for=condition=Ready", "pods", "--all", "--timeout=80s")
	s.sameChassis()
	s.consistent()
}
