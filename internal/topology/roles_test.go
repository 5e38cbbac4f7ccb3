//go:build integration

package topology_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link/nstest"
)

func roles(all ...v1alpha1.Role) func(*v1alpha1.L2AttachmentSpec) {
	return func(s *v1alpha1.L2AttachmentSpec) { s.Roles = all }
}

// What a port may send follows from its roles, as long as the network gives them.
func TestRoles(t *testing.T) {
	l := start(t).lab(t, v1alpha1.L2NetworkSpec{AllowPortSecurityOverride: true})
	victim := l.pod(t, 1)
	heard := listen(t, victim)
	const advertises, redirects, offers, solicits = 1, 2, 4, 8
	sends := func(p endpoint) (all int) {
		for what, frame := range map[int][]byte{
			advertises: routerAdvertisement(p),
			redirects:  ipv6(p.mac, p.linkLocal(), victim.v6, 58, 255, icmp6(137, 40)),
			offers:     ipv4(p.mac, p.v4, allHosts4, 17, udp(67, 68)),
			solicits:   ipv4(p.mac, p.v4, allHosts4, 17, udp(68, 67)),
		} {
			if heard.arrives(t, p, frame) {
				all |= what
			}
		}
		return all
	}
	disabled := func(s *v1alpha1.L2AttachmentSpec) { s.PortSecurity = v1alpha1.PortSecurityDisabled }
	router := l.pod(t, 3, roles(v1alpha1.RoleRouter))
	for _, tc := range []struct {
		reason string
		pod    endpoint
		want   int
	}{
		{"none, by default", l.pod(t, 2), solicits},
		{"a router", router, advertises | redirects | solicits},
		{"a DHCP server", l.pod(t, 4, roles(v1alpha1.RoleDHCPServer)), offers | solicits},
		{"both", l.pod(t, 5, roles(v1alpha1.RoleDHCPServer, v1alpha1.RoleRouter)), advertises | redirects | offers | solicits},
		{"left to itself", l.pod(t, 6, disabled), advertises | redirects | offers | solicits},
	} {
		if got := sends(tc.pod); got != tc.want {
			t.Errorf("%s: what arrives is %04b, want %04b", tc.reason, got, tc.want)
		}
	}

	l.network.Spec.AllowedRoles = &[]v1alpha1.Role{}
	l.apply(t)
	l.NB("--wait=hv", "sync")
	if got := sends(router); got&redirects != 0 {
		t.Errorf("what arrives of a router that the network allows no longer is %04b", got)
	}
}

// A pod follows Router Advertisements only where its network allows routers,
// whoever sends them.
func TestRouterAdvertisementIsFollowedWhereAllowed(t *testing.T) {
	w := start(t)
	for name, tc := range map[string]struct {
		spec   v1alpha1.L2NetworkSpec
		follow bool
	}{
		"IPAM":    {v1alpha1.L2NetworkSpec{IPAM: dual, PortSecurity: v1alpha1.PortSecurityDisabled}, false},
		"Allowed": {v1alpha1.L2NetworkSpec{IPAM: dual, AllowedRoles: &[]v1alpha1.Role{v1alpha1.RoleRouter}}, true},
		"Pure":    {v1alpha1.L2NetworkSpec{}, true},
		"None":    {v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityDisabled, AllowedRoles: &[]v1alpha1.Role{}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := w.lab(t, tc.spec)
			router, victim := l.pod(t, 1, roles(v1alpha1.RoleRouter)), l.pod(t, 2)
			if !listen(t, victim).arrives(t, router, routerAdvertisement(router)) {
				t.Fatal("the advertisement did not arrive")
			}
			if tc.follow {
				eventually(t, func() bool { return follows(t, victim) }, "it has an address of the advertised prefix, and a default route")
			} else if follows(t, victim) {
				t.Error("it has an address of the advertised prefix, or a default route")
			}
		})
	}
}

// follows says whether the pod has an address of the advertised prefix or a
// default route.
func follows(t *testing.T, e endpoint) (does bool) {
	t.Helper()
	nstest.Do(t, e.ns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		addresses, err := netlink.AddrList(inner, netlink.FAMILY_V6)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteList(inner, netlink.FAMILY_V6)
		does = slices.ContainsFunc(addresses, func(a netlink.Addr) bool {
			address, ok := netip.AddrFromSlice(a.IP)
			return ok && advertisedPrefix.Contains(address)
		}) || slices.ContainsFunc(routes, func(r netlink.Route) bool { return r.Gw != nil })
		return err
	})
	return does
}

// OVN's own DHCP server is none of the ports: its offers arrive.
func TestGuardPassesOVNsOffers(t *testing.T) {
	l := start(t).lab(t, v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: dual.Subnets, DHCP: true}})
	guest := l.pod(t, 1)
	heard := listen(t, guest)
	discover := append([]byte{1, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe}, make([]byte, 20)...) // RFC 2131 section 2
	discover = append(append(discover, guest.mac...), make([]byte, 10+64+128)...)
	discover = append(discover, 99, 130, 83, 99, 53, 1, 1, 255)
	datagram := append([]byte{0, 68, 0, 67, byte((8 + len(discover)) >> 8), byte(8 + len(discover)), 0, 0}, discover...)
	eventually(t, func() bool {
		send(t, guest, ipv4(guest.mac, netip.IPv4Unspecified(), allHosts4, 17, datagram))
		for {
			got := heard.frame(t)
			if len(got) > 46 && bytes.Equal(got[34:38], []byte{0, 67, 0, 68}) {
				return bytes.Contains(got, []byte{0xca, 0xfe, 0xba, 0xbe})
			}
			if got == nil {
				return false
			}
		}
	}, "OVN offers an address")
}
