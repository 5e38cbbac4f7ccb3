//go:build integration

package ovs_test

import (
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

// OVN says nothing of the switch that a port is on: a newer ovn-installed-ts is
// what a move looks like on the node.
func TestInstalledAtGrowsWithAMove(t *testing.T) {
	o := ovstest.StartOVN(t)
	var mu sync.Mutex
	var seen []ovs.State
	c := start(t, o.Endpoint(), func(p ovs.Port) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, p.State)
	})
	g := gomega.NewWithT(t)
	g.Eventually(func() error { return c.Ready(t.Context()) }, nstest.Patience(10*time.Second), "10ms").Should(gomega.Succeed())
	p := port(t, "c1", 1)
	o.AddPort("a", p.LogicalPort, p.MAC, "10.0.0.1")
	o.NB("ls-add", "b")
	if err := c.Change(t.Context(), []ovs.Port{p}, nil); err != nil {
		t.Fatal(err)
	}
	installedAt := func() int64 {
		ports, err := c.Ports(t.Context())
		if err != nil || len(ports) != 1 || !ports[0].State.Installed {
			return 0
		}
		return ports[0].State.InstalledAt
	}
	g.Eventually(installedAt, nstest.Patience(10*time.Second), "5ms").Should(gomega.BeNumerically(">", 0))
	last := installedAt()
	from, to := "a", "b"
	for range 6 {
		o.Move(p.LogicalPort, from, to)
		g.Eventually(installedAt, nstest.Patience(10*time.Second), "5ms").Should(gomega.BeNumerically(">", last), "the port was moved")
		last = installedAt()
		from, to = to, from
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("states in order: %+v", seen)
}
