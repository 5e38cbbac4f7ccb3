//go:build e2e

package clusters

import (
	"strings"
	"testing"
	"time"

	"l2sm.io/l2sm/e2e/traffic"
)

// turnsWithin is how long frames may be lost while another edge takes over: two nodes, their
// ovn-controllers and both sides' edges follow one write.
const turnsWithin = 5 * traffic.Late

// A second node becomes an edge, and takes over when the first is none any more: what is under
// way goes on, by the controller's one write.
func TestTakeOver(t *testing.T) {
	east, west := twoEdges(t, 5107)
	const tries = 3
	for try := 1; ; try++ {
		from, to := "n2", "n1"
		if east.active() == "n1" {
			from, to = to, from
		}
		west.stream("pod", "10.60.1.10")
		began := time.Now()
		time.Sleep(3 * time.Second)
		turned := time.Now()
		east.kubectl("label", "node", from, "l2sm.io/edge-")
		east.says(to, "get", "l2edge", "default", "-o", "jsonpath={.status.active}")
		took := time.Since(turned)
		time.Sleep(3 * time.Second)
		ended := time.Now()
		pings := west.streamed("pod")
		calm, after := pings.Between(began, turned), pings.Between(turned, ended)
		t.Logf("clusters: the active edge's node is an edge no more, another is active after %.1f s | lost: %d of %d pings, longest gap %d ms (before: %d of %d, %d ms)",
			took.Seconds(), after.Lost(), len(after), after.Gap().Milliseconds(), calm.Lost(), len(calm), calm.Gap().Milliseconds())
		east.kubectl("label", "--overwrite", "node", from, "l2sm.io/edge=")
		most := max(turnsWithin, 2*calm.Gap())
		if after.Gap() <= most && len(after) > 0 {
			return
		}
		if try == tries {
			t.Errorf("no ping was answered for %s, want at most %s", after.Gap(), most)
			return
		}
		west.meetsBoth()
	}
}

// twoEdges has both nodes of the east be edges, of which the west knows, and a pod on each side
// of a network: in the east on n1.
func twoEdges(t *testing.T, id int) (east, west place) {
	t.Helper()
	east, west = newScenario(t)
	addresses := map[string]string{"n1": "10.252.0.12", "n2": "10.252.0.11"}
	t.Cleanup(func() {
		for node := range addresses {
			_, _ = east.try("annotate", "node", node, "l2sm.io/edge-address-")
		}
		_, _ = east.try("label", "node", "n1", "l2sm.io/edge-")
		_, _ = east.try("label", "--overwrite", "node", "n2", "l2sm.io/edge=")
		east.says("n2", "get", "l2edge", "default", "-o", "jsonpath={.status.active}")
		east.eventually(func() error { // or it goes on to speak BFD with the other side, in the clear
			if bridges := east.node("n1", "ovs-vsctl", "list-br"); strings.Contains(bridges, "br-edge") {
				return errStill("bridges on n1, which is an edge no more: " + bridges)
			}
			return nil
		})
	})
	for node, address := range addresses {
		east.kubectl("annotate", "--overwrite", "node", node, "l2sm.io/edge-address="+address)
		east.kubectl("label", "--overwrite", "node", node, "l2sm.io/edge=")
	}
	west.kubectl("patch", "l2peer", "east", "--type=merge", "-p", `{"spec": {"endpoints": [{"address": "10.252.0.11"}, {"address": "10.252.0.12"}]}}`)
	east.apply(east.network(id), pod("pod", "n1", asks("", "10.60.1.10")))
	west.apply(west.network(id), pod("pod", "", asks("", "10.60.2.10")))
	east.ready("pod")
	west.ready("pod")
	east.stretched()
	west.stretched()
	west.meetsBoth()
	return east, west
}

// active is the node whose edge carries all networks.
func (p place) active() string {
	p.Helper()
	return strings.TrimSpace(p.kubectl("get", "l2edge", "default", "-o", "jsonpath={.status.active}"))
}

// meetsBoth waits for sessions with both edges of the other side.
func (p place) meetsBoth() {
	p.Helper()
	p.says("true true", "get", "l2peer", p.other, "-o", "jsonpath={.status.sessions[*].established}")
}
