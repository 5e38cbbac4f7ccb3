//go:build e2e

package clusters

import (
	"strings"
	"testing"
	"time"

	"l2sm.io/l2sm/e2e/traffic"
)

// Frames pass without l2sm-edge: one that is killed takes none along, neither when it ends
// nor when it starts again.
func TestEdgeKilled(t *testing.T) {
	east, west := newScenario(t)
	east.apply(east.network(5105), pod("pod", "n1", asks("", "10.60.1.10")))
	west.apply(west.network(5105), pod("pod", "", asks("", "10.60.2.10")))
	east.ready("pod")
	west.ready("pod")
	east.stretched()
	west.stretched()
	const edge = "n2"
	running := func() string { return strings.TrimSpace(east.node(edge, "pgrep", "-x", "l2sm-edge")) }

	// Other work on the machine stops the userspace datapath now and then: a loss that the
	// kill causes is there in each try.
	const tries = 3
	for try := 1; ; try++ {
		east.exec("pod", "ping -c 3 -i 0.2 10.60.2.10")
		before := running()
		east.stream("pod", "10.60.2.10")
		began := time.Now()
		time.Sleep(3 * time.Second)
		killed := time.Now()
		east.node(edge, "pkill", "-9", "-x", "l2sm-edge")
		east.eventually(func() error {
			if out, err := run("", "bin/lab", "--name", east.lab, "node", edge, "pgrep", "-x", "l2sm-edge"); err != nil || strings.TrimSpace(out) == before {
				return errStill("gone: " + out)
			}
			return nil
		})
		east.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "l2edge/default", "l2peer/west")
		east.kubectl("-n", "l2sm-system", "rollout", "status", "daemonset/l2sm-edge", "--timeout=80s")
		time.Sleep(3 * time.Second) // what it sweeps when it has heard its peers
		ended := time.Now()
		pings := east.streamed("pod")
		calm, after := pings.Between(began, killed), pings.Between(killed, ended)
		t.Logf("clusters: l2sm-edge of the active node killed | lost: %d of %d pings, longest gap %d ms (before: %d of %d, %d ms)",
			after.Lost(), len(after), after.Gap().Milliseconds(), calm.Lost(), len(calm), calm.Gap().Milliseconds())
		most := max(traffic.Late, 2*calm.Gap())
		if after.Gap() <= most && len(after) > 0 {
			return
		}
		if try == tries {
			t.Errorf("no ping was answered for %s, want at most %s", after.Gap(), most)
			return
		}
	}
}
