//go:build e2e || conformance

package e2e

import "testing"

// A guest that asks by DHCP is told what its attachment has.
func TestDHCP(t *testing.T) {
	s := newScenario(t)
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.126.0.0/24", "fd12:6::/64"], dhcp: true}}`),
		pod{name: "guest", node: nodes(t)[0], networks: "net", capabilities: []string{"NET_ADMIN"}}.String(),
		pod{name: "peer", node: nodes(t)[1], networks: "net"}.String())
	s.ready("guest", "peer")
	want4, want6 := s.address("guest", "net1", 4), s.address("guest", "net1", 6)
	s.exec("guest", "ip addr flush dev net1 scope global")
	s.exec("guest", "timeout 30 dhclient -4 -1 -v -sf /bin/true net1 -lf /tmp/4 -pf /tmp/4.pid > /tmp/4.log 2>&1 || { cat /tmp/4.log; exit 1; }")
	s.expect(s.exec("guest", "cat /tmp/4"), "fixed-address "+want4+";", "option subnet-mask 255.255.255.0", "option interface-mtu "+s.exec("guest", "cat /sys/class/net/net1/mtu"))
	s.exec("guest", "timeout 30 dhclient -6 -1 -v -sf /bin/true net1 -lf /tmp/6 -pf /tmp/6.pid > /tmp/6.log 2>&1 || { cat /tmp/6.log; exit 1; }")
	s.expect(s.exec("guest", "cat /tmp/6"), "iaaddr "+want6+" ")
	s.exec("guest", "ip addr add "+want4+"/24 dev net1")
	s.pings("guest", s.address("peer", "net1", 4))
}
