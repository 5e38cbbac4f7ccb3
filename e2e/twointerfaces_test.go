//go:build e2e || conformance

package e2e

import (
	"testing"
)

// A pod with two interfaces on one network, or on two of one subnet: what comes
// to either is answered from it, in both families, though port security admits
// no other address there.
func TestTwoInterfacesInOneSubnet(t *testing.T) {
	s := newScenario(t)
	subnets := []string{"10.190.0.0/24", "fd90::/64"}
	s.apply(network("net", subnets...), network("left", subnets...), network("right", subnets...),
		pod{name: "one", node: nodes(t)[0], networks: "net, net"}.String(),
		pod{name: "peer", node: nodes(t)[1], networks: "net"}.String(),
		pod{name: "two", node: nodes(t)[0], networks: `[{"name": "left", "ips": ["10.190.0.10", "fd90::10"]}, {"name": "right", "ips": ["10.190.0.11", "fd90::11"]}]`}.String(),
		pod{name: "left", node: nodes(t)[1], networks: static("left", "10.190.0.20", "fd90::20")}.String(),
		pod{name: "right", node: lastNode(t), networks: static("right", "10.190.0.21", "fd90::21")}.String())
	s.ready("one", "peer", "two", "left", "right")
	for _, family := range []int{4, 6} {
		for _, iface := range []string{"net1", "net2"} {
			s.pings("peer", s.address("one", iface, family))
		}
		s.pings("left", s.address("two", "net1", family))
		s.pings("right", s.address("two", "net2", family))
	}
	// And from each of its addresses.
	for _, iface := range []string{"net1", "net2"} {
		for _, family := range []int{4, 6} {
			s.pings("one", s.address("peer", "net1", family), "-I", s.address("one", iface, family))
		}
	}
	s.pings("two", "10.190.0.20", "-I", "10.190.0.10")
	s.pings("two", "10.190.0.21", "-I", "10.190.0.11")
	s.pings("two", "fd90::21", "-I", "fd90::11")
}
