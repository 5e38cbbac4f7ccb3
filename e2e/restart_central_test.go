//go:build e2e

package e2e

// Lab only: it stops the node with OVN's databases.

import (
	"fmt"
	"testing"
	"time"
)

// readsAnew is how long traffic may stop when every ovn-controller reads a new southbound
// database, beside datapaths in user space on a machine with two processors. Before nodes were
// registered in it, and kept their tunnel keys, it was up to 8 s.
const readsAnew = 2 * time.Second

// lateComers is longer than it takes all nodes to connect: ovn-controller waits for 8 s at most
// between two attempts.
const lateComers = 15 * time.Second

// ovn-central is replaced while no controller runs: its empty databases stay
// closed to the nodes, which go on as they were told last, until a controller
// has filled them.
func TestCentralReplacedWithoutController(t *testing.T) {
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	f := s.breaksFor(readsAnew, func() {
		withoutController(t, func() {
			system(t, "rollout", "restart", "deploy/ovn-central")
			system(t, "rollout", "status", "deploy/ovn-central", "--timeout=80s")
			time.Sleep(lateComers) // nodes that obeyed the empty database would show
		})
		s.stillServes()
	})
	s.report("ovn-central replaced while no l2sm-controller ran", "pods' traffic, ports and TCP connections", f)
	s.sameChassis()
	s.consistent()
}

// The node with OVN's databases goes: they start empty on another one, long
// before it is back.
func TestNodeOfCentralLost(t *testing.T) {
	s := newLoneScenario(t)
	victim := centralNode(t)
	others := otherNodes(t, victim)
	s.pair(others[0], others[1])
	var served time.Duration
	f := s.breaksFor(readsAnew, func() {
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
