//go:build integration

package evpn

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"l2sm.io/l2sm/internal/evpn/frrtest"
)

// raw is a peer that says what a Speaker never would.
type raw struct {
	t       *testing.T
	address netip.Addr
	server  *server.BgpServer
	heard   chan *apiutil.Path
}

func speakRaw(t *testing.T, address, peer string) *raw {
	t.Helper()
	r := &raw{t: t, address: netip.MustParseAddr(address), server: server.NewBgpServer(), heard: make(chan *apiutil.Path, 1024)}
	go r.server.Serve()
	t.Cleanup(r.server.Stop)
	must(t,
		r.server.StartBgp(t.Context(), &api.StartBgpRequest{Global: &api.Global{Asn: testASN, RouterId: address, ListenAddresses: []string{address}, ListenPort: testPort}}),
		r.server.WatchEvent(t.Context(), server.WatchEventMessageCallbacks{OnPathUpdate: func(all []*apiutil.Path, _ time.Time) {
			for _, p := range all {
				r.heard <- p
			}
		}}, server.WatchUpdate(false, "", "")),
		r.server.AddPeer(t.Context(), &api.AddPeerRequest{Peer: &api.Peer{
			Conf:      &api.PeerConf{NeighborAddress: peer, PeerAsn: testASN},
			Transport: &api.Transport{LocalAddress: address, RemotePort: testPort},
			Timers:    &api.Timers{Config: &api.TimersConfig{ConnectRetry: 1}},
			AfiSafis:  []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: family(), Enabled: true}}},
		}}),
	)
	return r
}

func (r *raw) say(nlri bgp.NLRI, attrs ...bgp.PathAttributeInterface) {
	r.t.Helper()
	reach, err := bgp.NewPathAttributeMpReachNLRI(bgp.RF_EVPN, []bgp.PathNLRI{{NLRI: nlri}}, r.address)
	must(r.t, err)
	attrs = append(attrs, bgp.NewPathAttributeOrigin(0), reach)
	_, err = r.server.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{{Family: bgp.RF_EVPN, Nlri: nlri, Attrs: attrs}}})
	must(r.t, err)
}

func (r *raw) rd(i uint16) bgp.RouteDistinguisherInterface {
	rd, err := bgp.NewRouteDistinguisherIPAddressAS(r.address, i)
	must(r.t, err)
	return rd
}

// macIP is an NLRI of type 2 with one label; i makes it another.
func (r *raw) macIP(i uint16, m, a string, label uint32) bgp.NLRI {
	var address netip.Addr
	if a != "" {
		address = netip.MustParseAddr(a)
	}
	nlri, err := bgp.NewEVPNMacIPAdvertisementRoute(r.rd(i), bgp.EthernetSegmentIdentifier{}, 0, m, address, []uint32{label})
	must(r.t, err)
	return nlri
}

func targets(all ...bgp.ExtendedCommunityInterface) bgp.PathAttributeInterface {
	return bgp.NewPathAttributeExtendedCommunities(all)
}

func target(asn uint16, n uint32) bgp.ExtendedCommunityInterface {
	return bgp.NewTwoOctetAsSpecificExtended(bgp.EC_SUBTYPE_ROUTE_TARGET, asn, n, true)
}

// Whatever a peer says, nothing but routes that make sense get through, each of the
// others is counted, and the session goes on.
func TestHostileRoutes(t *testing.T) {
	t.Parallel()
	const good, vni = "02:00:00:00:00:09", 5001
	us, saw := speak(t, "127.179.8.1")
	them := speakRaw(t, "127.179.8.2", "127.179.8.1")
	ok := targets(target(testASN, vni))
	ip, err := bgp.NewIPv4AddressSpecificExtended(bgp.EC_SUBTYPE_ROUTE_TARGET, them.address, vni, true)
	must(t, err)
	segment, err := bgp.NewEVPNEthernetSegmentRoute(them.rd(1), bgp.EthernetSegmentIdentifier{Type: bgp.ESI_ARBITRARY, Value: make([]byte, 9)}, them.address)
	must(t, err)
	prefix, err := bgp.NewEVPNIPPrefixRoute(them.rd(1), bgp.EthernetSegmentIdentifier{}, 0, 24, netip.MustParseAddr("10.0.0.0"), them.address, vni)
	must(t, err)
	multicast, err := bgp.NewEVPNMulticastEthernetTagRoute(them.rd(1), 0, them.address)
	must(t, err)
	none, err := bgp.NewEVPNMulticastEthernetTagRoute(them.rd(1), 0, netip.IPv4Unspecified())
	must(t, err)

	them.say(bgp.NewEVPNEthernetAutoDiscoveryRoute(them.rd(1), bgp.EthernetSegmentIdentifier{}, 0, vni), ok)
	them.say(segment, ok)
	them.say(prefix, ok)
	them.say(them.macIP(1, "ff:ff:ff:ff:ff:ff", "", vni), ok)
	them.say(them.macIP(1, "01:00:5e:00:00:01", "", vni), ok)
	them.say(them.macIP(1, "00:00:00:00:00:00", "", vni), ok)
	them.say(them.macIP(1, good, "224.0.0.1", vni), ok)
	them.say(them.macIP(1, good, "0.0.0.0", vni), ok)
	them.say(them.macIP(1, good, "127.0.0.1", vni), ok)
	them.say(them.macIP(1, good, "::ffff:10.0.0.1", vni), ok)
	them.say(none, ok, bgp.NewPathAttributePmsiTunnel(bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL, false, vni, &bgp.IngressReplTunnelID{Value: them.address}))
	them.say(them.macIP(2, good, "", 0), ok)
	them.say(them.macIP(3, good, "", vni), targets(bgp.NewFourOctetAsSpecificExtended(bgp.EC_SUBTYPE_ROUTE_TARGET, testASN, vni, true)))
	them.say(them.macIP(4, good, "", vni), targets(ip))
	them.say(them.macIP(5, good, "", vni))
	them.say(them.macIP(6, good, "", vni), targets(target(65001, vni)))
	them.say(them.macIP(7, good, "", vni), targets(target(testASN, vni+1)))
	them.say(them.macIP(8, good, "", vni), targets(target(testASN, 0xffffffff)))
	them.say(them.macIP(9, good, "", vni), targets(target(testASN, vni), bgp.NewEncapExtended(bgp.TUNNEL_TYPE_NVGRE)))
	them.say(multicast, ok, bgp.NewPathAttributePmsiTunnel(bgp.PMSI_TUNNEL_TYPE_PIM_SM_TREE, false, vni, &bgp.DefaultPmsiTunnelID{Value: make([]byte, 8)}))
	// And these are good: the last sequence there is, and two targets.
	them.say(them.macIP(10, good, "10.0.0.9", vni), targets(target(testASN, 70000), target(testASN, vni), bgp.NewMacMobilityExtended(1<<32-1, true)))

	must(t, us.SetPeers(t.Context(), peersOf(map[string]string{"them": "127.179.8.2"})))
	const last = "5001 02:00:00:00:00:09 10.0.0.9 seq 4294967295 via 127.179.8.2"
	eventually(t, saw.of(them.address)).Should(gomega.Equal([]string{last}))
	want := map[Drop]uint64{DropType: 3, DropMAC: 3, DropAddress: 5, DropLabel: 1, DropTarget: 6, DropTunnel: 2}
	eventually(t, func() map[Drop]uint64 { return us.Dropped(them.address) }).Should(gomega.Equal(want))
	if !saw.isUp(them.address)() {
		t.Error("the session is lost")
	}
	// A route that makes sense no longer is gone.
	them.say(them.macIP(10, good, "10.0.0.9", vni), targets(target(65001, vni)))
	eventually(t, saw.of(them.address)).Should(gomega.BeEmpty())
}

// A peer that announces a route of ours as its own, and as the better one, takes it from
// nobody; and what it announces goes to nobody, also with the community of a peer. Ours
// arrives without communities.
func TestNoRouteIsPassedOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	us, _ := speak(t, "127.179.9.1")
	them, third := speakRaw(t, "127.179.9.2", "127.179.9.1"), speakRaw(t, "127.179.9.3", "127.179.9.1")
	route := Route{RouteKey: macIP(5001, 1, "")}
	must(t, us.Announce(ctx, route, []string{"them", "third"}),
		us.SetPeers(ctx, peersOf(map[string]string{"them": "127.179.9.2", "third": "127.179.9.3"})))
	heard := func(from *raw) *apiutil.Path {
		t.Helper()
		select {
		case p := <-from.heard:
			return p
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is heard")
			return nil
		}
	}
	heard(them)
	for _, a := range heard(third).Attrs {
		if c, ok := a.(*bgp.PathAttributeCommunities); ok {
			t.Errorf("our route arrives with communities %v", c.Value)
		}
	}
	var communities []uint32
	for i := range uint32(4) {
		communities = append(communities, communityOfPeers<<16|i)
	}
	mine, err := us.path(route, us.ours[route.RouteKey].rd.index)
	must(t, err)
	for _, nlri := range []bgp.NLRI{mine.Nlri, them.macIP(1, "02:00:00:00:00:02", "", 5001)} {
		them.say(nlri, targets(target(testASN, 5001)), bgp.NewPathAttributeLocalPref(1000), bgp.NewPathAttributeCommunities(communities))
	}
	must(t, them.server.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{mine}}))
	// The third hears of what we announce next, and of nothing before.
	must(t, us.Announce(ctx, Route{RouteKey: macIP(5001, 3, "")}, []string{"third"}))
	if p := heard(third); p.Withdrawal || p.Nlri.(*bgp.EVPNNLRI).RouteTypeData.(*bgp.EVPNMacIPAdvertisementRoute).MacAddress.String() != mac(3).String() {
		t.Errorf("the third heard %+v", p)
	}
}

// An endpoint that asks for more memory than its share loses its session, and its routes.
func TestGreedyPeer(t *testing.T) {
	t.Parallel()
	large := make([]*bgp.LargeCommunity, 200)
	for i := range large {
		large[i] = bgp.NewLargeCommunity(testASN, 1, uint32(i))
	}
	for name, greedy := range map[string]func(*raw){
		"routes": func(r *raw) {
			for i := range uint16(12) {
				r.say(r.macIP(i, "02:00:00:00:00:09", "", 5001), targets(target(testASN, 5001)))
			}
		},
		"attributes": func(r *raw) {
			r.say(r.macIP(1, "02:00:00:00:00:09", "", 5001), targets(target(testASN, 5001)), bgp.NewPathAttributeLargeCommunities(large))
		},
	} {
		t.Run(name, func(t *testing.T) {
			us, saw := speak(t, "127.179.10.1")
			them := speakRaw(t, "127.179.10.2", "127.179.10.1")
			p := peersOf(map[string]string{"them": "127.179.10.2"})
			p[0].MaxRoutes = 10
			must(t, us.SetPeers(t.Context(), p))
			eventually(t, saw.isUp(them.address)).Should(gomega.BeTrue())
			greedy(them)
			eventually(t, saw.isUp(them.address)).Should(gomega.BeFalse())
			saw.mu.Lock()
			defer saw.mu.Unlock()
			if saw.stale[them.address] {
				t.Error("its routes are kept")
			}
			if why := maps.Clone(saw.why)[them.address]; why == "" || why[:20] != "closed for a minute:" {
				t.Errorf("the reason is %q", why)
			}
		})
	}
}

// IPv6 sessions, with route distinguishers that are made up.
func TestIPv6(t *testing.T) {
	ctx := t.Context()
	wan(t)
	const here = "/proc/self/ns/net"
	for _, a := range []string{"2001:db8::1/64", "2001:db8::2/64"} {
		frrtest.In(t, here, "ip addr add "+a+" dev wan nodad")
	}
	east, _ := edge(t, "2001:db8::1")
	west, westSaw := edge(t, "2001:db8::2")
	must(t,
		east.Announce(ctx, Route{RouteKey: RouteKey{Kind: Multicast, VNI: 5001}}, []string{"west"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "10.0.0.1")}, []string{"west"}),
		east.SetPeers(ctx, peersOf(map[string]string{"west": "2001:db8::2"})),
		west.SetPeers(ctx, peersOf(map[string]string{"east": "2001:db8::1"})),
	)
	eventually(t, westSaw.of(east.config.Address)).Should(gomega.Equal([]string{
		"5001 02:00:00:00:00:01 10.0.0.1 seq 0 via 2001:db8::1", "5001 via 2001:db8::1",
	}))
}
