package evpn

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// world is small, so that things meet.
var world = struct {
	endpoints, vteps, addresses []netip.Addr
	vnis                        []uint32
	names                       []string
}{
	endpoints: addrs("10.1.0.1", "10.1.0.2", "10.9.0.1", "10.9.0.2"),
	vteps:     addrs("10.1.0.1", "10.1.0.2", "10.9.0.1", "10.9.0.2", "10.9.0.3", "10.66.0.1"),
	addresses: addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"),
	vnis:      []uint32{5001, 5002},
	names:     []string{"cluster", "fabric"},
}

func addrs(all ...string) []netip.Addr {
	out := make([]netip.Addr, len(all))
	for i, a := range all {
		out[i] = netip.MustParseAddr(a)
	}
	return out
}

func drawPolicies(t *rapid.T) []PeerPolicy {
	var all []PeerPolicy
	if rapid.IntRange(0, 4).Draw(t, "cluster") > 0 {
		all = append(all, PeerPolicy{
			Name: "cluster", Endpoints: world.endpoints[:rapid.IntRange(0, 3).Draw(t, "endpoints")],
			MaxMACs: rapid.IntRange(1, 3).Draw(t, "max"),
		})
	}
	if rapid.IntRange(0, 4).Draw(t, "fabric") > 0 {
		prefix := rapid.SampledFrom([]string{"10.9.0.0/24", "10.9.0.2/31", "10.0.0.0/8"}).Draw(t, "prefix")
		all = append(all, PeerPolicy{
			Name: "fabric", Fabric: true, Endpoints: world.endpoints[rapid.IntRange(2, 3).Draw(t, "reflectors"):], VTEPs: []netip.Prefix{netip.MustParsePrefix(prefix)},
			MaxMACs: rapid.IntRange(1, 3).Draw(t, "max"),
		})
	}
	return all
}

func drawRoute(t *rapid.T, from netip.Addr) Learned {
	l := Learned{VNI: rapid.SampledFrom(world.vnis).Draw(t, "vni"), VTEP: from}
	if rapid.Bool().Draw(t, "other VTEP") {
		l.VTEP = rapid.SampledFrom(world.vteps).Draw(t, "VTEP")
	}
	l.RD[7] = byte(rapid.IntRange(0, 1).Draw(t, "RD"))
	if rapid.IntRange(0, 3).Draw(t, "multicast") == 0 {
		l.Kind = Multicast
		l.Address = rapid.SampledFrom([]netip.Addr{l.VTEP, world.vteps[0]}).Draw(t, "originator")
		return l
	}
	l.Kind = MACIP
	l.MAC = mac(rapid.IntRange(1, 5).Draw(t, "MAC"))
	l.Sequence = uint32(rapid.IntRange(0, 2).Draw(t, "sequence"))
	if rapid.Bool().Draw(t, "with address") {
		l.Address = rapid.SampledFrom(world.addresses).Draw(t, "address")
	}
	return l
}

// draw picks some of what there is.
func draw[T any](t *rapid.T, all []T, label string) []T {
	var out []T
	for i, v := range all {
		if rapid.Bool().Draw(t, fmt.Sprint(label, i)) {
			out = append(out, v)
		}
	}
	return out
}

// Whatever happens in whatever order, what the Table has said by its changes is what
// one comes to that decides on everything anew.
func TestAnyOrderEndsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, m, said := NewTable(), newModel(), newOutcome()
		now := time.Unix(0, 0)
		endpoint := func() netip.Addr { return rapid.SampledFrom(world.endpoints).Draw(t, "endpoint") }
		vni := func() uint32 { return rapid.SampledFrom(world.vnis).Draw(t, "vni") }
		aMAC := func() MAC { return mac(rapid.IntRange(1, 5).Draw(t, "MAC")) }
		t.Repeat(map[string]func(*rapid.T){
			"peers": func(t *rapid.T) {
				p := drawPolicies(t)
				table.SetPeers(p)
				m.setPeers(p)
			},
			"network": func(t *rapid.T) {
				v, p := vni(), draw(t, world.names, "in force")
				table.SetNetwork(v, p)
				m.inForce[v] = p
			},
			"own": func(t *rapid.T) {
				m.own = nil
				if rapid.IntRange(0, 3).Draw(t, "own") == 0 {
					m.own = world.vteps[2:3]
				}
				table.SetOwn(m.own)
			},
			"reachable": func(t *rapid.T) {
				a, r := rapid.SampledFrom(world.vteps).Draw(t, "VTEP"), rapid.Bool().Draw(t, "reachable")
				table.SetReachable(a, r)
				m.unreachable[a] = !r
			},
			"local": func(t *rapid.T) {
				v, x, a := vni(), aMAC(), draw(t, world.addresses, "addresses")
				table.SetLocal(v, x, a)
				m.locals[macKey{v, x}] = a
			},
			"no local": func(t *rapid.T) {
				v, x := vni(), aMAC()
				table.DeleteLocal(v, x)
				delete(m.locals, macKey{v, x})
			},
			"route": func(t *rapid.T) {
				e := endpoint()
				l := drawRoute(t, e)
				table.Received(e, l, false)
				m.received(e, l, false)
			},
			"routes": func(t *rapid.T) {
				for range 4 {
					e := endpoint()
					l := drawRoute(t, e)
					table.Received(e, l, false)
					m.received(e, l, false)
					m.settle()
				}
			},
			"withdrawn": func(t *rapid.T) {
				e := endpoint()
				all := slices.Collect(maps.Keys(m.routes(e)))
				if len(all) == 0 {
					return
				}
				slices.SortFunc(all, ID.compare)
				l := Learned{ID: rapid.SampledFrom(all).Draw(t, "route")}
				table.Received(e, l, true)
				m.received(e, l, true)
			},
			"session": func(t *rapid.T) {
				e, up, stale := endpoint(), rapid.Bool().Draw(t, "up"), rapid.Bool().Draw(t, "stale")
				table.Session(e, up, stale && !up, now)
				m.session(e, up, stale && !up, now)
			},
			"end": func(t *rapid.T) {
				e := endpoint()
				table.End(e)
				m.end(e)
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 70).Draw(t, "seconds")) * time.Second)
				if next := table.NextExpiry(); !next.IsZero() && rapid.Bool().Draw(t, "exactly") {
					now = next
				}
				table.Expire(now)
				m.expire(now)
			},
			"": func(t *rapid.T) {
				m.settle()
				if rapid.IntRange(0, 2).Draw(t, "ask later") == 0 {
					return
				}
				said.take(table.Changes())
				if diff := cmp.Diff(m.outcome(), said, cmp.AllowUnexported(macKey{}, memberKey{}, hostKey{}), cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
					t.Fatalf("what was said is not what follows (-want +got):\n%s", diff)
				}
			},
		})
		// Nothing is left of what is gone.
		table.SetPeers(nil)
		for _, v := range world.vnis {
			table.SetNetwork(v, nil)
			for i := range 6 {
				table.DeleteLocal(v, mac(i))
			}
		}
		said.take(table.Changes())
		if len(table.networks)+len(table.behind)+len(table.endpoints)+len(table.dirty.reportedFollows)+len(table.dirty.reportedFloods)+len(table.dirty.reportedStatuses) != 0 {
			t.Fatalf("it holds what is gone: %+v", table)
		}
	})
}

func (m *model) routes(e netip.Addr) map[ID]*modelRoute {
	if m.endpoints[e] == nil {
		return nil
	}
	return m.endpoints[e].routes
}
