//go:build integration

package zone_test

import (
	"fmt"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/ovn"
)

// between is how long one node has changed over and the other has not.
const between = 2 * time.Second

// Nodes whose ovn-controllers leave a central southbound database for their own, which
// hold the same ports by the same keys: interfaces and pods stay, and pods reach each
// other all the time, also while one node has changed over and the other has not. And back.
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
		on := ovn.Key(one.Key()).Switch()
		central.AddPort(on, e.PortName(), e.mac.String(), e.v4.String(), e.v6.String())
		central.NB("set", "Logical_Switch", on, fmt.Sprintf("other_config:requested-tnl-key=%d", one.Status.TunnelKey), "--",
			"set", "Logical_Switch_Port", e.PortName(), fmt.Sprintf("options:requested-tnl-key=%d", e.Status.TunnelKey))
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
		time.Sleep(between)
		follow("node-b", southbound(w.zones["node-b"].Zone))
		w.reaches(a, b)
		w.reaches(a, c)
		if _, outage := within.end(what + ", on one node"); outage > bearable {
			t.Errorf("%s: pods of one node are cut off for %s", what, outage)
		}
		if _, outage := across.end(what + ", between nodes, one after the other"); outage > bearable {
			t.Errorf("%s: pods of two nodes are cut off for %s", what, outage)
		}
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
