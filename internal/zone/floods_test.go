//go:build integration

package zone_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/ovn"
)

// What OVN learns of a pod that floods it is bounded in each zone, and it stops to learn
// of it for a while. What it learned of others stays, whoever's switch that is.
func TestFloodInZones(t *testing.T) {
	w := start(t, "node-a", "node-b")
	a, b := w.zones["node-a"], w.zones["node-b"]
	for _, n := range w.zones {
		n.stop()
		n.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-cms-options="+ovn.ChassisMark) // as ovn-node does
		n.pause = nstest.Patience(20 * time.Second)
		n.write(0)
	}
	lab, other := w.network("lab", open), w.network("other", open)
	attacker, peer := w.attach(lab, "node-a", 1).plug(), w.attach(lab, "node-b", 2).plug()
	neighbour, near := w.attach(other, "node-a", 3).plug(), w.attach(lab, "node-a", 4).plug()
	w.reaches(attacker, peer)
	g := gomega.NewWithT(t)
	both := func(what string, holds func(*node) bool) {
		t.Helper()
		for _, n := range w.zones {
			g.Eventually(func() bool { return holds(n) }, patience+a.pause, "50ms").Should(gomega.BeTrue(), "%s: %s", n.Name, what)
		}
	}
	learns := func(n *node) bool { return strings.Contains(n.addressesOf(attacker), "unknown") }
	sync := func() {
		for _, n := range w.zones {
			n.NB("--wait=hv", "sync")
		}
	}

	g.Eventually(func() int {
		neighbour.flood(everyone, 3, ovn.MaxLearned/2)
		return a.learned("03")
	}, patience, "100ms").Should(gomega.Equal(ovn.MaxLearned / 2))
	// Another program's switch that has learned more than we let pods have.
	a.NB("ls-add", "theirs", "--", "lsp-add", "theirs", "theirs-1")
	var key string
	g.Eventually(func() string {
		key = a.SB("--bare", "--columns=tunnel_key", "find", "Datapath_Binding", "external_ids:name=theirs")
		return key
	}, patience, "50ms").ShouldNot(gomega.BeEmpty())
	const theirs = ovn.MaxLearned + 50
	var args []string
	for i := range theirs {
		args = append(args, "--", "create", "FDB", "dp_key="+key, "port_key=1", fmt.Sprintf(`mac="02:09:04:%02x:%02x:01"`, i>>8, i&255))
	}
	a.SB(args[1:]...)

	g.Eventually(func() int {
		attacker.flood(everyone, 1, 3000)
		return len(a.told)
	}, patience, "100ms").ShouldNot(gomega.BeZero())
	g.Eventually(a.told, patience).Should(gomega.Receive(gomega.Equal("pod-1: TooManyMACs")))
	began := time.Now()
	both("learns no more", func(n *node) bool {
		attacker.flood(everyone, 1, 3000)
		return !learns(n)
	})
	sync()
	both("keeps little", func(n *node) bool { return n.learned("01") <= ovn.MaxLearned })
	if got := a.learned("03"); got != ovn.MaxLearned/2 {
		t.Errorf("of %d MAC addresses of another network's pod %d are left", ovn.MaxLearned/2, got)
	}
	const some = 50
	before := attacker.received()
	near.flood(nobody, 6, some)
	peer.flood(nobody, 7, some)
	attacker.flood(everyone, 2, 3000)
	w.reaches(near, attacker)
	w.reaches(peer, attacker)
	sync()
	if got := attacker.received() - before; got >= some {
		t.Errorf("%d frames came: also what others send to nobody", got)
	}
	for _, n := range w.zones {
		if got := n.learned("02"); got > 0 {
			t.Errorf("%s: OVN has learned %d MAC addresses of a port that flooded it", n.Name, got)
		}
	}
	g.Expect(w.audited(func(n *node) func(context.Context) (*inventory.Zone, error) { return n.writer.Inventory })).To(gomega.BeEmpty(), "audit knows of it")
	if got := a.learned("04"); got != theirs {
		t.Errorf("of %d MAC addresses of another program's switch %d are left", theirs, got)
	}

	both("learns again", learns)
	if after := time.Since(began); after < a.pause/2 {
		t.Errorf("OVN learns again after %s, want %s", after, a.pause)
	}
	both("has learned", func(n *node) bool {
		attacker.flood(everyone, 5, 10)
		return n.learned("05") == 10
	})
	if len(a.told)+len(b.told) > 0 {
		t.Errorf("the pod was told %d times too often by its node, and %d times by another", len(a.told), len(b.told))
	}
}

// A writer that is started again knows a flood by what OVN learned while none was there, or by
// what it learns now.
func TestFloodOverARestart(t *testing.T) {
	w := start(t, "node-a")
	n := w.zones["node-a"]
	attacker := w.attach(w.network("lab", open), "node-a", 1).plug()
	g := gomega.NewWithT(t)
	g.Eventually(func() string { return n.addressesOf(attacker) }, patience, "20ms").Should(gomega.ContainSubstring("unknown"))
	for restarts := range 2 {
		n.stop()
		if restarts == 0 {
			g.Eventually(func() int {
				attacker.flood(everyone, 0, 2*ovn.MaxLearned)
				return n.learned("00")
			}, patience, "100ms").Should(gomega.BeNumerically(">", ovn.MaxLearned))
		}
		n.write(0)
		if restarts == 1 {
			g.Eventually(func() string { return n.addressesOf(attacker) }, patience, "20ms").Should(gomega.ContainSubstring("unknown"), "memory alone has it")
			g.Eventually(func() int {
				attacker.flood(everyone, 1, 2*ovn.MaxLearned)
				return len(n.told)
			}, patience, "100ms").ShouldNot(gomega.BeZero())
		}
		g.Eventually(n.told, patience).Should(gomega.Receive(gomega.Equal("pod-1: TooManyMACs")))
		g.Eventually(func() string { return n.addressesOf(attacker) }, patience, "20ms").ShouldNot(gomega.ContainSubstring("unknown"))
		g.Eventually(func() int { return n.learned("0") }, patience, "50ms").Should(gomega.BeNumerically("<=", ovn.MaxLearned))
	}
}

// No zone learns another side's addresses, however many come by the edge.
func TestEdgeFloodsNoZone(t *testing.T) {
	w := start(t, "node-a", "edge-1")
	for _, n := range w.zones {
		n.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-cms-options="+ovn.ChassisMark) // as ovn-node does
	}
	host := w.zones["edge-1"].edge(201)
	for name, change := range map[string]func(*v1alpha1.L2NetworkSpec){"MAC": func(*v1alpha1.L2NetworkSpec) {}, "Disabled": open} {
		network := w.network(strings.ToLower(name), change)
		a := w.attach(network, "node-a", byte(len(name))).plug()
		w.stretch(network, "edge-1", 30_000)
		g := gomega.NewWithT(t)
		g.Eventually(func() bool { return a.pings(host.v4) }, patience, "10ms").Should(gomega.BeTrue(), "%s: it goes on", name)
		host.flood(everyone, 1, 3000)
		host.flood(a.mac, 2, 50)
		g.Eventually(func() bool { return a.pings(host.v4) }, patience, "10ms").Should(gomega.BeTrue(), "%s: it still does", name)
		for _, n := range w.zones {
			n.NB("--wait=hv", "sync")
			if rows := n.SB("--bare", "--columns=mac", "list", "FDB"); strings.Contains(rows, "02:") {
				t.Errorf("%s: %s has learned %d addresses of another side", name, n.Name, strings.Count(rows, "02:09"))
			}
		}
		network.Status.Stretch = nil
		w.status(network)
		g.Eventually(w.zones["edge-1"].edgePorts, patience, "10ms").Should(gomega.BeEmpty(), "it goes on nowhere")
	}
}
