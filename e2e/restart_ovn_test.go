//go:build e2e

package e2e

// Lab only: it kills daemons of OVN.

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What dies on a node or beside the databases while pods talk through it.
func TestKilledDaemonsOfOVN(t *testing.T) {
	first, second := nodes(t)[0], nodes(t)[1]
	whole := newLoneScenario(t)
	whole.pair(first, second)
	for name, tc := range map[string]struct {
		program string
		node    string
		kept    string
		outage  time.Duration // 0: nothing may be lost
	}{
		"ovn-controller": {program: ovnController, node: first, kept: "flows and chassis stay"},
		// The userspace datapath forwards in the thread that waits for the database.
		"ovsdb-server": {program: switchDatabase, node: first, kept: "ports and connections", outage: 20 * time.Second},
		"northd":       {program: northd, node: centralNode(t), kept: "flows stay"},
		"nb":           {program: northbound, node: centralNode(t), kept: "flows stay, the database is on the pod's disk"},
		// Every ovn-controller reads all of it again at that moment, and northd too, beside the
		// datapath on the same two cores.
		"sb":           {program: southbound, node: centralNode(t), kept: "flows stay, the database is on the pod's disk", outage: readsAnew},
		"ovs-vswitchd": {program: switchDaemon, node: first, kept: "ports and connections", outage: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			killed, action := name+" killed (-9)", func() {
				kill(t, tc.node, tc.program)
				s.stillServes()
			}
			if tc.outage == 0 {
				s.report(killed, tc.kept, s.losesNothing(action))
			} else {
				s.report(killed, tc.kept, s.breaksFor(tc.outage, action))
			}
			s.sameChassis()
		})
	}
}

// sameChassis asserts that the southbound database has each node once.
func (s *scenario) sameChassis() {
	s.Helper()
	want := strings.Join(nodes(s.T), " ")
	s.eventually("a chassis for every node, and no other", func() error {
		got, err := chassis()
		if err != nil {
			return fmt.Errorf("%w: %s", err, got)
		}
		return differs(want, got)
	})
}
