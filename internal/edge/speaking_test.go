package edge

import (
	"net/netip"
	"slices"
	"testing"

	"l2sm.io/l2sm/internal/evpn"
)

func TestDivide(t *testing.T) {
	both, own := at("192.0.2.1"), at("192.0.2.2")
	s := settings{policies: []evpn.PeerPolicy{{Name: "a", Endpoints: []netip.Addr{both}}, {Name: "b", Endpoints: []netip.Addr{both, own}}}}
	s.divide()
	if !slices.Equal(s.policies[0].Endpoints, []netip.Addr{both}) || !slices.Equal(s.policies[1].Endpoints, []netip.Addr{own}) {
		t.Errorf("an endpoint of two peers makes %v and %v, want it to be the first one's", s.policies[0].Endpoints, s.policies[1].Endpoints)
	}
}

func TestUnreachable(t *testing.T) {
	cases := map[string]struct {
		reason        string
		own, endpoint netip.Addr
		reachable     bool
	}{
		"Usual":   {"one way", at("192.0.2.1"), at("192.0.2.2"), true},
		"Unknown": {"nothing is known of this edge yet", netip.Addr{}, at("192.0.2.2"), true},
		"Family":  {"a tunnel has one", at("192.0.2.1"), at("2001:db8::1"), false},
		"Self":    {"a frame would come back", at("192.0.2.1"), at("192.0.2.1"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if why := unreachable(tc.own, tc.endpoint); (why == "") != tc.reachable {
				t.Errorf("%s: %q", tc.reason, why)
			}
		})
	}
}
