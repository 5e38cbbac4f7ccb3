//go:build integration

package zone_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/ovn"
)

// Nodes whose ovn-controllers leave a central southbound database for their own,
// which hold the same ports by other keys: interfaces and pods stay, those of one
// node reach each other all the time, and of two nodes when both have changed over.
// And back. docs/fabrics.md tells what of this an installation can't do yet.
func TestChangeOver(t *testing.T) {
	w := start(t, "node-a", "node-b")
	central := w.underlay.Zone("central")
	follow := func(node string, southbound string) {
		w.zones[node].Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-remote="+southbound)
	}
	for node := range w.zones {
		follow(node, central.Southbound())
	}
	one := w.network("one")
	a, b, c := w.attach(one, "node-a", 1), w.attach(one, "node-b", 2), w.attach(one, "node-a", 3)
	for _, e := range []*endpoint{a, b, c} {
		central.AddPort(ovn.Key(one.Key()).Switch(), e.PortName(), e.mac.String(), e.v4.String(), e.v6.String())
		e.plug()
	}
	w.reaches(a, b)
	if got := central.SB("--bare", "--columns=logical_port", "find", "Port_Binding", `logical_port="`+a.PortName()+`"`, "chassis!=[]"); got != a.PortName() {
		t.Fatalf("the central database has bound %q, want the port", got)
	}
	changeOver := func(what string, southbound func(*ovstest.Zone) string) {
		t.Helper()
		within, across := a.stream(c.v4), a.stream(b.v4)
		follow("node-a", southbound(w.zones["node-a"].Zone))
		gomega.NewWithT(t).Eventually(func() bool { return a.pings(b.v4) }, patience, "10ms").Should(gomega.BeFalse(), "%s: one node has changed over, so the keys differ", what)
		follow("node-b", southbound(w.zones["node-b"].Zone))
		w.reaches(a, b)
		w.reaches(a, c)
		if _, outage := within.end(what + ", on one node"); outage > bearable {
			t.Errorf("%s: pods of one node are cut off for %s", what, outage)
		}
		across.end(what + ", between nodes, one after the other")
	}
	changeOver("Central to Zones", func(z *ovstest.Zone) string { return z.Southbound() })
	changeOver("Zones to Central", func(*ovstest.Zone) string { return central.Southbound() })

	// At once, as far as that goes.
	pings := a.stream(b.v4)
	began := time.Now()
	for node, n := range w.zones {
		follow(node, n.Southbound())
	}
	w.reaches(a, b)
	t.Logf("both nodes were told within %s", time.Since(began))
	if _, outage := pings.end("Central to Zones, between nodes, both at once"); outage > bearable {
		t.Errorf("cut off for %s", outage)
	}
}
