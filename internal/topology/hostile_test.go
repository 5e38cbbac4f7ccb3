//go:build integration

package topology_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// columns are what ports of a network are held to, in the order of the table.
var columns = []v1alpha1.PortSecurity{v1alpha1.PortSecurityStrict, v1alpha1.PortSecurityMAC, v1alpha1.PortSecurityDisabled}

const (
	passes = "passes"
	drops  = "dropped"
)

// hostile is the table of docs/security.md: what a pod that can make any frame
// sends to others of its network, which assigns addresses of both families, and
// what becomes of it.
var hostile = []struct {
	sends string
	frame func(from, victim endpoint) []byte
	want  [3]string // by column
}{
	{"IPv4 from its own address", func(p, v endpoint) []byte { return ipv4(p.mac, p.v4, v.v4, 17, udp(9, 9)) }, [3]string{passes, passes, passes}},
	{"a frame from another MAC address", func(p, v endpoint) []byte { return ether(broadcast, v.mac, 0x88b5, nil) }, [3]string{drops, drops, passes}},
	{"an ARP reply for another's IPv4 address", func(p, v endpoint) []byte { return arp(p.mac, p.mac, v.v4) }, [3]string{drops, passes, passes}},
	{"an ARP reply with another's MAC address inside", func(p, v endpoint) []byte { return arp(p.mac, v.mac, p.v4) }, [3]string{drops, drops, passes}},
	{"IPv4 from another's address", func(p, v endpoint) []byte { return ipv4(p.mac, v.v4, p.v4, 17, udp(9, 9)) }, [3]string{drops, passes, passes}},
	{"IPv6 from another's address", func(p, v endpoint) []byte { return ipv6(p.mac, v.v6, p.v6, 17, 64, udp(9, 9)) }, [3]string{drops, passes, passes}},
	{"a neighbour advertisement for its own IPv6 address", func(p, _ endpoint) []byte { return advertised(p, p.v6, p.mac) }, [3]string{passes, passes, passes}},
	{"a neighbour advertisement for another's IPv6 address", func(p, v endpoint) []byte { return advertised(p, v.v6, p.mac) }, [3]string{drops, passes, passes}},
	{"a neighbour advertisement with another's MAC address inside", func(p, v endpoint) []byte { return advertised(p, p.v6, v.mac) }, [3]string{drops, drops, passes}},
	{"a Router Advertisement", func(p, _ endpoint) []byte { return routerAdvertisement(p) }, [3]string{drops, drops, passes}},
	{"a Router Advertisement behind an extension header", func(p, _ endpoint) []byte {
		return ipv6(p.mac, p.linkLocal(), allNodes, 60, 255, append([]byte{58, 0, 1, 4, 0, 0, 0, 0}, icmp6(134, 24)...))
	}, [3]string{drops, drops, passes}},
	{"an ICMPv6 redirect", func(p, v endpoint) []byte { return ipv6(p.mac, p.linkLocal(), v.v6, 58, 255, icmp6(137, 40)) }, [3]string{drops, drops, passes}},
	{"a Router Advertisement in fragments", func(p, _ endpoint) []byte { return fragmented6(p, 58, 255, icmp6(134, 24)) }, [3]string{drops, drops, passes}},
	{"a DHCPv4 offer", func(p, _ endpoint) []byte { return ipv4(p.mac, p.v4, allHosts4, 17, udp(67, 68)) }, [3]string{drops, drops, passes}},
	{"a DHCPv6 advertisement", func(p, v endpoint) []byte { return ipv6(p.mac, p.linkLocal(), v.v6, 17, 64, udp(547, 546)) }, [3]string{drops, drops, passes}},
	{"a DHCPv6 advertisement in fragments", func(p, _ endpoint) []byte { return fragmented6(p, 17, 64, udp(547, 546)) }, [3]string{passes, passes, passes}},
	{"IPv4 from its own address with a VLAN tag", func(p, v endpoint) []byte { return tagged(ipv4(p.mac, p.v4, v.v4, 17, udp(9, 9)), 0x8100, 7) }, [3]string{drops, passes, passes}},
	{"IPv4 from its own address with a priority tag (VLAN 0)", func(p, v endpoint) []byte {
		return tagged(ipv4(p.mac, p.v4, v.v4, 17, udp(9, 9)), 0x8100, 5<<13)
	}, [3]string{drops, passes, passes}},
	{"another EtherType with a VLAN tag", func(p, _ endpoint) []byte { return tagged(ether(broadcast, p.mac, 0x88b5, nil), 0x8100, 7) }, [3]string{drops, passes, passes}},
	{"a frame with two VLAN tags (QinQ)", func(p, v endpoint) []byte {
		return tagged(tagged(ipv4(p.mac, p.v4, v.v4, 17, udp(9, 9)), 0x8100, 7), 0x88a8, 9)
	}, [3]string{drops, passes, passes}},
	{"IPv4 from another's address, behind a VLAN or priority tag", func(p, v endpoint) []byte {
		return tagged(ipv4(p.mac, v.v4, p.v4, 17, udp(9, 9)), 0x8100, 0)
	}, [3]string{drops, passes, passes}},
	{"an ARP reply for another's IPv4 address, behind a priority tag", func(p, v endpoint) []byte { return tagged(arp(p.mac, p.mac, v.v4), 0x88a8, 0) }, [3]string{drops, passes, passes}},
	{"a Router Advertisement behind a priority tag", func(p, _ endpoint) []byte { return tagged(routerAdvertisement(p), 0x8100, 0) }, [3]string{drops, drops, passes}},
	{"a Router Advertisement behind two priority tags", func(p, _ endpoint) []byte { return tagged(tagged(routerAdvertisement(p), 0x8100, 0), 0x8100, 0) }, [3]string{drops, drops, passes}},
	{"the same behind three, or mixed ones", func(p, _ endpoint) []byte {
		return tagged(tagged(tagged(routerAdvertisement(p), 0x88a8, 0), 0x8100, 0), 0x88a8, 0)
	}, [3]string{drops, drops, passes}},
	{"a Router Advertisement behind two tags of VLANs", func(p, _ endpoint) []byte { return tagged(tagged(routerAdvertisement(p), 0x8100, 7), 0x8100, 9) }, [3]string{drops, drops, passes}},
	{"LLDP", func(p, _ endpoint) []byte { return ether(bridgeGroup(0x0e), p.mac, 0x88cc, nil) }, [3]string{drops, passes, passes}},
	{"LACP", func(p, _ endpoint) []byte { return ether(bridgeGroup(0x02), p.mac, 0x8809, nil) }, [3]string{drops, passes, passes}},
	{"STP", func(p, _ endpoint) []byte { return ether(bridgeGroup(0x00), p.mac, 67, nil) }, [3]string{drops, passes, passes}},
	{"PAUSE", func(p, _ endpoint) []byte { return ether(bridgeGroup(0x01), p.mac, 0x8808, nil) }, [3]string{drops, passes, passes}},
	{"IPv4 multicast", func(p, _ endpoint) []byte { return ipv4(p.mac, p.v4, group4, 17, udp(9, 9)) }, [3]string{passes, passes, passes}},
	{"an EtherType that nobody knows", func(p, _ endpoint) []byte { return ether(broadcast, p.mac, 0x1234, nil) }, [3]string{drops, passes, passes}},
}

// asOf2303 are what OVN 23.03 drops under MAC: a hop limit of 225 in its flows
// should be 255.
var asOf2303 = map[string]bool{
	"a neighbour advertisement for its own IPv6 address":   true,
	"a neighbour advertisement for another's IPv6 address": true,
}

// TestHostileFrames sends what docs/security.md says.
func TestHostileFrames(t *testing.T) {
	o := start(t)
	old := strings.Contains(o.Version(), " 23.03")
	for column, security := range columns {
		l := o.lab(t, v1alpha1.L2NetworkSpec{IPAM: dual, PortSecurity: security})
		attacker, victim := l.pod(t, 1), l.pod(t, 2)
		heard := listen(t, victim)
		for _, h := range hostile {
			got, want := drops, h.want[column]
			if heard.arrives(t, attacker, h.frame(attacker, victim)) {
				got = passes
			}
			if old && security == v1alpha1.PortSecurityMAC && asOf2303[h.sends] {
				want = drops
			}
			if got != want {
				t.Errorf("%s under %s: %s, want %s", h.sends, security, got, want)
			}
		}
	}
	doc, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hostile {
		line := fmt.Sprintf("| %s | %s |\n", h.sends, strings.Join(h.want[:], " | "))
		if !bytes.Contains(doc, []byte(line)) {
			t.Errorf("docs/security.md lacks the line: %s", line)
		}
	}
}
