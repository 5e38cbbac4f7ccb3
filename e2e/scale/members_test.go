package main

import (
	"slices"
	"testing"
)

func TestMembers(t *testing.T) {
	cases := map[string]struct {
		reason               string
		nodes, each, most    int
		networks, pods, port int
	}{
		"Even":   {"nodes x networks / members are all networks", 100, 10, 10, 100, 1000, 100},
		"All":    {"every network may be on every node", 4, 3, 4, 3, 12, 12},
		"Fewer":  {"a network has no more members than there are nodes", 2, 1, 10, 1, 2, 2},
		"Single": {"networks of one member have nobody elsewhere", 3, 2, 1, 6, 6, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMembers(tc.nodes, tc.each, tc.most)
			if got := len(m.nodesOf); got != tc.networks {
				t.Errorf("%s: %d networks, want %d", tc.reason, got, tc.networks)
			}
			if got := m.pods(); got != tc.pods {
				t.Errorf("%s: %d pods, want %d", tc.reason, got, tc.pods)
			}
			for node, networks := range m.networksOf {
				if len(networks) != tc.each || m.portsOn(node) != tc.port {
					t.Errorf("%s: node %d is on networks %v with %d ports, want %d with %d", tc.reason, node, networks, m.portsOn(node), tc.each, tc.port)
				}
				for _, network := range networks {
					if !slices.Contains(m.nodesOf[network], node) {
						t.Errorf("network %d does not know its member %d", network, node)
					}
				}
			}
		})
	}
}

// A move has to leave the nodes that have no member of the target, and no other.
func TestMembersOthers(t *testing.T) {
	m := members{nodesOf: [][]int{{1, 2, 3}, {3, 4}}}
	if got := m.others(0, 1); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("got %v, want nodes 1 and 2", got)
	}
	if got := m.others(1, 1); got != nil {
		t.Errorf("got %v, want none beside itself", got)
	}
}
