package topology

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

const mac = "0a:58:0a:65:02:0a"

func TestTopology(t *testing.T) {
	v4, v6 := []string{"10.101.2.10/16"}, []string{"fd10:101::10/64"}
	dual := append(append([]string{}, v4...), v6...)
	with := func(change func(*v1alpha1.L2NetworkSpec)) v1alpha1.L2NetworkSpec {
		spec := v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.101.0.0/16", "fd10:101::/64"}}}
		change(&spec)
		return spec
	}
	ipam := with(func(*v1alpha1.L2NetworkSpec) {})

	cases := map[string]struct {
		reason    string
		spec      v1alpha1.L2NetworkSpec
		addresses []string
		override  v1alpha1.PortSecurity
		roles     []v1alpha1.Role
		flooded   bool
		want      ovn.Port
	}{
		"Strict": {
			reason: "the default with ipam: one element each, lengths in port security only", spec: ipam, addresses: dual,
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10 fd10:101::10"}, PortSecurity: []string{mac + " 10.101.2.10/16 fd10:101::10/64"}},
		},
		"ZeroHost": {
			reason: "an address with a zero host part stands for its subnet in OVN, so it is one of a single address", spec: ipam, addresses: []string{"10.101.2.10/31", "fd10:101::10/127"},
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10 fd10:101::10"}, PortSecurity: []string{mac + " 10.101.2.10/32 fd10:101::10/128"}},
		},
		"StrictV4": {
			reason: "an element of one family forbids the other, and no second element opens it", spec: ipam, addresses: v4,
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10"}, PortSecurity: []string{mac + " 10.101.2.10/16"}},
		},
		"Plain": {
			reason: "without ipam pods choose addresses: OVN can't know them, the MAC is enforced", spec: v1alpha1.L2NetworkSpec{},
			want: ovn.Port{Addresses: []string{mac, "unknown"}, PortSecurity: []string{mac}},
		},
		"StrictPlain": {
			reason: "strict about no address is strict about the MAC", spec: v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityStrict},
			want: ovn.Port{Addresses: []string{mac, "unknown"}, PortSecurity: []string{mac}},
		},
		"StrictPlainStatic": {
			reason: "a static address on a network without ipam is one to be strict about", addresses: v4,
			spec: v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityStrict},
			want: ovn.Port{Addresses: []string{mac, "unknown"}, PortSecurity: []string{mac + " 10.101.2.10/16"}},
		},
		"MAC": {
			reason: "a router sends from any address, and is still reached by its own", addresses: dual,
			spec: with(func(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityMAC }),
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10 fd10:101::10"}, PortSecurity: []string{mac}},
		},
		"Disabled": {
			reason: "a bridge sends and receives for MACs that nobody knows", addresses: dual,
			spec: with(func(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityDisabled }),
			want: ovn.Port{Addresses: []string{mac, "unknown"}},
		},
		"DisabledFlooded": {
			reason: "OVN learns nothing of a pod that floods it", addresses: v4, flooded: true,
			spec: with(func(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityDisabled }),
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10"}},
		},
		"Held": {
			reason: "where it learns nothing anyway, nothing changes", flooded: true, spec: v1alpha1.L2NetworkSpec{},
			want: ovn.Port{Addresses: []string{mac, "unknown"}, PortSecurity: []string{mac}},
		},
		"DisabledWithDHCP": {
			reason: "DHCP offers the addresses of the column, also to a bridge", addresses: dual,
			spec: with(func(s *v1alpha1.L2NetworkSpec) {
				s.PortSecurity = v1alpha1.PortSecurityDisabled
				s.IPAM = &v1alpha1.IPAM{Subnets: s.IPAM.Subnets, DHCP: true}
			}),
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10 fd10:101::10", "unknown"}},
		},
		"Override": {
			reason: "an attachment chooses where the network lets it", addresses: dual, override: v1alpha1.PortSecurityMAC,
			spec: with(func(s *v1alpha1.L2NetworkSpec) { s.AllowPortSecurityOverride = true }),
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10 fd10:101::10"}, PortSecurity: []string{mac}},
		},
		"OverrideDisabled": {
			reason: "a port that the network leaves to itself is guarded against nothing", addresses: dual, override: v1alpha1.PortSecurityDisabled,
			spec: with(func(s *v1alpha1.L2NetworkSpec) { s.AllowPortSecurityOverride = true }),
			want: ovn.Port{Addresses: []string{mac, "unknown"}, Permit: "1"},
		},
		"Router": {
			reason: "a role where the network allows it", roles: []v1alpha1.Role{v1alpha1.RoleRouter}, spec: v1alpha1.L2NetworkSpec{},
			want: ovn.Port{Addresses: []string{mac, "unknown"}, PortSecurity: []string{mac}, Permit: "(icmp6.type == {134, 137})"},
		},
		"BothRoles": {
			reason: "both", roles: []v1alpha1.Role{v1alpha1.RoleDHCPServer, v1alpha1.RoleRouter}, addresses: dual,
			spec: with(func(s *v1alpha1.L2NetworkSpec) {
				s.AllowedRoles = &[]v1alpha1.Role{v1alpha1.RoleRouter, v1alpha1.RoleDHCPServer}
			}),
			want: ovn.Port{
				Addresses: []string{mac + " 10.101.2.10 fd10:101::10"}, PortSecurity: []string{mac + " 10.101.2.10/16 fd10:101::10/64"},
				Permit: "(icmp6.type == {134, 137}) || ((ip4 && udp.src == 67) || (ip6 && udp.src == 547))",
			},
		},
		"RoleForbidden": {
			reason: "a member keeps its port without the role that the network took back", roles: []v1alpha1.Role{v1alpha1.RoleRouter}, addresses: v4, spec: ipam,
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10"}, PortSecurity: []string{mac + " 10.101.2.10/16"}},
		},
		"OverrideForbidden": {
			reason: "and nowhere else: who was let choose before is held to the network's again", spec: ipam, addresses: dual, override: v1alpha1.PortSecurityDisabled,
			want: ovn.Port{Addresses: []string{mac + " 10.101.2.10 fd10:101::10"}, PortSecurity: []string{mac + " 10.101.2.10/16 fd10:101::10/64"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net", UID: "n-uid"}, Spec: tc.spec}
			attachment := &v1alpha1.L2Attachment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping-net1-4f2a9c1e", UID: "a-uid"},
				Spec:       v1alpha1.L2AttachmentSpec{PodUID: "p-uid", NodeName: "node-a", MACAddress: mac, Addresses: tc.addresses, PortSecurity: tc.override, Roles: tc.roles},
			}
			if tc.flooded {
				attachment.Status.Conditions = []metav1.Condition{v1alpha1.LearningStopped(256, time.Minute)}
			}
			tc.want.Name, tc.want.Owner = "l2sm/default/ping-net1-4f2a9c1e", "a-uid"
			tc.want.Options = map[string]string{"requested-chassis": "node-a", "iface-id-ver": "p-uid"}
			want := ovn.Network{Key: ovn.Key{Namespace: "lab", Name: "net"}, UID: "n-uid", Ports: []ovn.Port{tc.want}, DHCP: dhcpSets(network, 1442), Guard: guard(network), Tags: tags(network), FDBAge: fdbAge(network)}

			if routes := tc.want.Permit == "1" || strings.Contains(tc.want.Permit, "134"); Routes(network, attachment) != (routes || tc.want.PortSecurity == nil) {
				t.Errorf("%s: it may send Router Advertisements: %t", tc.reason, !routes)
			}

			got := For(network, []*v1alpha1.L2Attachment{attachment}, nil, 1442)

			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// A network leaves its ports to themselves, or guards them all.
func TestGuard(t *testing.T) {
	network := func(security v1alpha1.PortSecurity, override bool) *v1alpha1.L2Network {
		return &v1alpha1.L2Network{Spec: v1alpha1.L2NetworkSpec{PortSecurity: security, AllowPortSecurityOverride: override}}
	}
	for name, tc := range map[string]struct {
		network *v1alpha1.L2Network
		guarded bool
		tags    bool
		age     int
	}{
		"Default":  {network("", false), true, true, 0},
		"Strict":   {network(v1alpha1.PortSecurityStrict, false), true, false, 0},
		"Override": {network(v1alpha1.PortSecurityStrict, true), true, false, 300},
		"Disabled": {network(v1alpha1.PortSecurityDisabled, false), false, true, 300},
	} {
		t.Run(name, func(t *testing.T) {
			got := Switch(tc.network, 1442)
			if guarded := got.Guard != ""; guarded != tc.guarded || got.Tags != tc.tags || got.FDBAge != tc.age {
				t.Errorf("guarded: %t, want %t; tags pass: %t, want %t; MAC addresses are forgotten after %d s, want %d", guarded, tc.guarded, got.Tags, tc.tags, got.FDBAge, tc.age)
			}
		})
	}
}
