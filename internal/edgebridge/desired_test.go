package edgebridge

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/internal/ovs/vs"
)

func TestMappings(t *testing.T) {
	cases := map[string]struct{ is, with, without string }{
		"None":    {"", "l2sm-edge:br-edge", ""},
		"Others":  {"physnet1:br-ex,physnet2:br-b", "physnet1:br-ex,physnet2:br-b,l2sm-edge:br-edge", "physnet1:br-ex,physnet2:br-b"},
		"There":   {"l2sm-edge:br-edge,physnet1:br-ex", "l2sm-edge:br-edge,physnet1:br-ex", "physnet1:br-ex"},
		"Wrong":   {"physnet1:br-ex,l2sm-edge:br-old", "physnet1:br-ex,l2sm-edge:br-edge", "physnet1:br-ex"},
		"Similar": {"l2sm-edge-2:br-edge", "l2sm-edge-2:br-edge,l2sm-edge:br-edge", "l2sm-edge-2:br-edge"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := mapped(tc.is); got != tc.with {
				t.Errorf("mapped(%q) = %q, want %q", tc.is, got, tc.with)
			}
			if got := unmapped(tc.is); got != tc.without {
				t.Errorf("unmapped(%q) = %q, want %q", tc.is, got, tc.without)
			}
		})
	}
}

func TestNetworkOf(t *testing.T) {
	cases := map[string]string{
		"patch-l2sm/team/red/edge-to-br-int":      "team/red",
		"patch-l2sm/team/red.v2/edge-to-br-int":   "team/red.v2",
		"patch-br-int-to-l2sm/team/red/edge":      "",
		"patch-l2sm/team/red-to-br-int":           "",
		"patch-l2sm/team/a/b/edge-to-br-int":      "",
		"patch-l2sm/red/edge-to-br-int":           "",
		"patch-provnet-1-to-br-int":               "",
		"vx0123456789abc":                         "",
		"patch-l2sm/team/edge/edge-to-br-int":     "team/edge",
		"patch-l2sm/team/red/edge-to-br-int-more": "",
	}
	for iface, want := range cases {
		if got, is := networkOf(iface); is != (want != "") || is && got != want {
			t.Errorf("networkOf(%q) = %q, %v, want %q", iface, got, is, want)
		}
	}
}

func TestDecide(t *testing.T) {
	local, east, west := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	c := Config{Local: local, Peers: []netip.Addr{east}, Fabric: true}
	secure := vs.BridgeFailModeSecure
	rows := func(change ...func(*found)) found {
		f := found{
			root:        &vs.OpenvSwitch{ExternalIDs: map[string]string{keyMappings: "l2sm-edge:br-edge"}},
			integration: &vs.Bridge{Name: "br-int", DatapathType: "netdev"},
			edge:        &vs.Bridge{Name: Name, DatapathType: "netdev", FailMode: &secure},
			tunnels:     desired(c),
		}
		for _, is := range f.tunnels {
			is.UUID = is.Name
		}
		for _, do := range change {
			do(&f)
		}
		return f
	}
	toEast, shared, toWest := portName(east.String()), portName(fabric), portName(west.String())
	type what struct {
		Create, Repair      bool
		Add, Change, Remove []string
		Mappings            string
	}
	cases := map[string]struct {
		reason string
		found  found
		want   what
	}{
		"Same":  {"nothing is written that is there", rows(), what{}},
		"Empty": {"a node that was no edge", rows(func(f *found) { f.edge, f.tunnels, f.root.ExternalIDs = nil, nil, nil }), what{Create: true, Add: []string{shared, toEast}}},
		"Open":  {"a bridge that forwards without flows would join networks", rows(func(f *found) { f.edge.FailMode = nil }), what{Repair: true}},
		"Kernel": {"both bridges are of one datapath, or no patch port joins them", rows(func(f *found) { f.integration.DatapathType = "system" }),
			what{Repair: true}},
		"Peer": {"a peer has come and another gone", rows(func(f *found) {
			f.tunnels[toWest] = desired(Config{Local: local, Peers: []netip.Addr{west}})[toWest]
			delete(f.tunnels, toEast)
		}), what{Add: []string{toEast}, Remove: []string{toWest}}},
		"Moved":    {"the node has another address", rows(func(f *found) { f.tunnels[toEast].Options["local_ip"] = "192.0.2.9" }), what{Change: []string{toEast}}},
		"Mappings": {"another's mapping stays", rows(func(f *found) { f.root.ExternalIDs[keyMappings] = "a:b" }), what{Mappings: "a:b,l2sm-edge:br-edge"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.want.Mappings == "" {
				tc.want.Mappings = "l2sm-edge:br-edge"
			}
			p := decide(tc.found, c)
			got := what{Create: p.create, Repair: p.repair, Remove: p.remove, Mappings: p.mappings}
			for _, is := range p.add {
				got.Add = append(got.Add, is.Name)
			}
			for _, is := range p.change {
				got.Change = append(got.Change, is.Name)
			}
			slices.Sort(tc.want.Add)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	a := netip.MustParseAddr
	cases := map[string]struct {
		config Config
		ok     bool
	}{
		"Good":        {Config{Local: a("192.0.2.1"), Peers: []netip.Addr{a("192.0.2.2")}}, true},
		"IPv6":        {Config{Local: a("2001:db8::1"), Peers: []netip.Addr{a("2001:db8::2")}, Fabric: true}, true},
		"NoAddress":   {Config{}, false},
		"Any":         {Config{Local: a("0.0.0.0")}, false},
		"Itself":      {Config{Local: a("192.0.2.1"), Peers: []netip.Addr{a("192.0.2.1")}}, false},
		"OtherFamily": {Config{Local: a("192.0.2.1"), Peers: []netip.Addr{a("2001:db8::2")}}, false},
	}
	for name, tc := range cases {
		if err := tc.config.check(); (err == nil) != tc.ok {
			t.Errorf("%s: check = %v", name, err)
		}
	}
	for _, name := range []string{portName("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), portName(fabric)} {
		if len(name) > 15 {
			t.Errorf("a port is called %q: interfaces have 15 characters", name)
		}
	}
}
