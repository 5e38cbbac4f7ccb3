package topology

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
	"l2sm.io/l2sm/ovn"
)

func TestDHCPSets(t *testing.T) {
	v4 := func(cidr, server, mtu string) ovn.DHCP {
		return ovn.DHCP{CIDR: cidr, Options: map[string]string{
			"server_id": server, "server_mac": dhcpMAC, "lease_time": "3600", "mtu": mtu,
		}}
	}
	v6 := ovn.DHCP{CIDR: "fd10:101::/64", Options: map[string]string{"server_id": dhcpMAC}}
	mtu := int32(1300)

	cases := map[string]struct {
		reason string
		spec   v1alpha1.L2NetworkSpec
		want   []ovn.DHCP
	}{
		"NoIPAM": {reason: "a network that assigns nothing has nothing to answer"},
		"Off": {
			reason: "it is for guests, and off unless asked for",
			spec:   v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.101.0.0/16"}}},
		},
		"DualStack": {
			reason: "each family has its set",
			spec:   v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{DHCP: true, Subnets: []string{"10.101.0.0/16", "fd10:101::/64"}}},
			want:   []ovn.DHCP{v4("10.101.0.0/16", "169.254.1.1", "1442"), v6},
		},
		"IPv6Only": {
			reason: "a network without IPv4 answers DHCPv6 alone",
			spec:   v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{DHCP: true, Subnets: []string{"fd10:101::/64"}}},
			want:   []ovn.DHCP{v6},
		},
		"MTU": {
			reason: "guests get the network's MTU",
			spec:   v1alpha1.L2NetworkSpec{MTU: &mtu, IPAM: &v1alpha1.IPAM{DHCP: true, Subnets: []string{"10.101.0.0/16"}}},
			want:   []ovn.DHCP{v4("10.101.0.0/16", "169.254.1.1", "1300")},
		},
		"LinkLocal": {
			reason: "the server's address is never one of the subnet, which a pod may have",
			spec:   v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{DHCP: true, Subnets: []string{"169.254.0.0/16"}}},
			want:   []ovn.DHCP{v4("169.254.0.0/16", "192.0.0.8", "1442")},
		},
		"Spelling": {
			reason: "OVN gets the subnet as everybody spells it, so that it compares equal",
			spec:   v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{DHCP: true, Subnets: []string{"FD10:0101:0::/64"}}},
			want:   []ovn.DHCP{v6},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := dhcpSets(&v1alpha1.L2Network{Spec: tc.spec}, 1442)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: sets (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// No MAC address that is assigned, whatever for, is the DHCP servers'.
func TestDHCPMACIsNobodys(t *testing.T) {
	pool := ipam.NewPool()
	lease, err := pool.Allocate("any", ipam.Request{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := ipam.ParseMAC(dhcpMAC)
	if err != nil {
		t.Fatal(err)
	}
	if server[0]&0b11 != 0b10 {
		t.Errorf("%s is not locally administered unicast", server)
	}
	if [2]byte(lease.MAC[:2]) == [2]byte(server[:2]) {
		t.Errorf("%s has the prefix of assigned addresses such as %s", server, lease.MAC)
	}
}
