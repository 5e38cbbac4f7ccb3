//go:build e2e && zones

// These scenarios need a cluster of fabric Zones: steps.sh brings one up, and runs
// the quick ones of the others on it, too.

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A node's databases hold a network while a pod of it is there, with the keys that
// the API has, and nothing of it before and after.
func TestZoneHoldsItsMembersOnly(t *testing.T) {
	s := newScenario(t)
	first, second, third := nodes(t)[0], nodes(t)[1], nodes(t)[2]
	s.apply(network("net", "10.190.0.0/24"),
		pod{name: "a", node: first, networks: "net"}.String(),
		pod{name: "b", node: second, networks: "net"}.String())
	s.ready("a", "b")
	s.pings("a", s.address("b", "net1", 4))
	switchName := "l2sm/" + s.namespace + "/net"
	holds := func(zone string) bool { return strings.Contains(nbctl(t, zone, "ls-list"), switchName+")") }
	if holds(third) {
		s.Errorf("node %s has no pod of the network, and its switch", third)
	}
	key := s.kubectl("get", "l2net", "net", "-o", "jsonpath={.status.tunnelKey}")
	ports := s.kubectl("get", "l2att", "-o", `jsonpath={range .items[*]}{.status.portName}={.status.tunnelKey}{"\n"}{end}`)
	for _, zone := range []string{first, second} {
		out, err := asked(zone, "sb", "ovn-sbctl", "--bare", "--columns=tunnel_key", "find", "Datapath_Binding", fmt.Sprintf("external_ids:name=%q", switchName))
		if err != nil || strings.TrimSpace(out) != key {
			s.Errorf("the switch has key %q on %s, and the network's status %q: %v", out, zone, key, err)
		}
		for line := range strings.Lines(ports) {
			port, want, _ := strings.Cut(strings.TrimSpace(line), "=")
			out, err := asked(zone, "sb", "ovn-sbctl", "--bare", "--columns=tunnel_key", "find", "Port_Binding", fmt.Sprintf("logical_port=%q", port))
			if err != nil || want == "" || strings.TrimSpace(out) != want {
				s.Errorf("port %s has key %q on %s, and its attachment's status %q: %v", port, out, zone, want, err)
			}
		}
	}

	s.apply(pod{name: "c", node: third, networks: "net"}.String())
	s.ready("c")
	s.pings("c", s.address("a", "net1", 4))
	s.pings("b", s.address("c", "net1", 4))
	s.kubectl("delete", "pod", "c")
	s.eventually("the last pod's node forgets the network", func() error {
		if holds(third) {
			return fmt.Errorf("its switch is still there")
		}
		return nil
	})
	s.pings("a", s.address("b", "net1", 4))
}

// What makes a node a zone dies while pods talk through it: flows stay.
func TestZoneDaemonsKilled(t *testing.T) {
	first := nodes(t)[0]
	whole := newLoneScenario(t)
	whole.pair(first, nodes(t)[1])
	for name, program := range map[string]string{"nb": northbound, "sb": southbound, "northd": northd, "ovn-controller": ovnController} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			f := s.losesNothing(func() {
				kill(t, first, program)
				s.stillServes()
			})
			s.report("Zones: "+name+" of a node killed (-9)", "flows, ports and their keys", f)
		})
	}
}

// A node loses a database: its agent writes it again from the API, with the same
// keys, and the node forwards.
func TestZoneWiped(t *testing.T) {
	first := nodes(t)[0]
	whole := newLoneScenario(t)
	whole.pair(first, nodes(t)[1])
	for name, lost := range map[string]struct{ program, file string }{
		"northbound": {northbound, "/run/ovn/ovnnb_db.db"},
		"southbound": {southbound, "/run/ovn/ovnsb_db.db"},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			f := s.breaksFor(3*time.Second, func() {
				wipe(t, first, lost.program, lost.file)
				s.stillServes()
			})
			s.report("Zones: "+name+" database of a node wiped", "pods and their interfaces; written again from the API", f)
		})
	}
}

// A pod of ovn-node takes another's place: it finds the databases as they were.
func TestZonePodReplaced(t *testing.T) {
	first := nodes(t)[0]
	s := newLoneScenario(t)
	s.pair(first, nodes(t)[1])
	before := s.wiring()
	f := s.breaksFor(20*time.Second, func() {
		former, err := ovnNode(first)
		if err != nil {
			t.Fatal(err)
		}
		system(t, "delete", "pod", former)
		system(t, "rollout", "status", "ds/ovn-node", "--timeout=80s")
		s.stillServes()
	})
	s.report("Zones: the pod of ovn-node of a node replaced", "databases, pods, ports and TCP connections", f)
	if err := sameLines(before, s.wiring()); err != nil {
		s.Errorf("the databases are not those from before: %v", err)
	}
}
