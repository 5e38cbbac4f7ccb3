package evpn

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const vni = 5001

var (
	east, west, leaf = netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("10.9.0.1")
	reflector        = netip.MustParseAddr("10.9.0.250")
	start            = time.Unix(0, 0)
)

func mac(i int) MAC { return MAC{0x02, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)} }

// agreed is a table with two clusters and a fabric in force on a network.
func agreed(maxMACs int) *Table {
	t := NewTable()
	t.SetPeers([]PeerPolicy{
		{Name: "east", Endpoints: []netip.Addr{east}, MaxMACs: maxMACs},
		{Name: "west", Endpoints: []netip.Addr{west}, MaxMACs: maxMACs},
		{Name: "fabric", Fabric: true, Endpoints: []netip.Addr{reflector}, VTEPs: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/25")}, MaxMACs: maxMACs},
	})
	t.SetNetwork(vni, []string{"east", "west", "fabric"})
	return t
}

// at is a route of a MAC address.
func at(vtep netip.Addr, m int, sequence uint32, address string) Learned {
	l := Learned{ID: ID{Kind: MACIP, MAC: mac(m)}, VNI: vni, VTEP: vtep, Sequence: sequence}
	copy(l.RD[2:], vtep.AsSlice())
	if address != "" {
		l.Address = netip.MustParseAddr(address)
	}
	return l
}

func joins(vtep netip.Addr) Learned {
	l := Learned{ID: ID{Kind: Multicast, Address: vtep}, VNI: vni, VTEP: vtep}
	copy(l.RD[2:], vtep.AsSlice())
	return l
}

// wide is joins, with an MTU.
func wide(vtep netip.Addr, mtu uint16) Learned {
	l := joins(vtep)
	l.MTU = mtu
	return l
}

// Each rule by itself, as what a table says in the end: where MAC address 1 is, and what
// the peers' statuses are.
func TestRules(t *testing.T) {
	local := addrs("192.0.2.1")
	for name, c := range map[string]struct {
		reason string
		do     func(*Table)
		at     netip.Addr
		want   []Status
	}{
		"cluster": {
			reason: "a cluster's edge announces itself",
			do:     func(t *Table) { t.Received(east, at(east, 1, 0, ""), false); t.Received(east, joins(east), false) },
			at:     east, want: []Status{{Peer: "east", VNI: vni, Joined: true, MACs: 1}},
		},
		"cluster with an MTU": {
			reason: "it may change",
			do:     func(t *Table) { t.Received(east, wide(east, 1442), false); t.Received(east, wide(east, 1400), false) },
			want:   []Status{{Peer: "east", VNI: vni, Joined: true, MTU: 1400}},
		},
		"cluster that does not say its MTU any more": {
			reason: "it has a fabric beside us",
			do:     func(t *Table) { t.Received(east, wide(east, 1442), false); t.Received(east, joins(east), false) },
			want:   []Status{{Peer: "east", VNI: vni, Joined: true}},
		},
		"cluster with another next hop": {
			reason: "a cluster's edge speaks for no one else",
			do:     func(t *Table) { t.Received(east, at(west, 1, 0, ""), false); t.Received(east, joins(west), false) },
		},
		"originator is another": {
			reason: "floods go where the route is from",
			do: func(t *Table) {
				l := joins(leaf)
				l.Address = netip.MustParseAddr("10.9.0.2")
				t.Received(reflector, l, false)
			},
		},
		"fabric": {
			reason: "a fabric's VTEPs are behind its reflectors",
			do:     func(t *Table) { t.Received(reflector, at(leaf, 1, 0, ""), false) },
			at:     leaf, want: []Status{{Peer: "fabric", VNI: vni, MACs: 1}},
		},
		"fabric with another VTEP": {
			reason: "a fabric has the VTEPs that are declared",
			do:     func(t *Table) { t.Received(reflector, at(east, 1, 9, ""), false) },
		},
		"not agreed": {
			reason: "a peer has the networks that both sides agreed on",
			do: func(t *Table) {
				t.SetNetwork(vni, []string{"west"})
				t.Received(east, at(east, 1, 0, ""), false)
			},
		},
		"agreed later": {
			reason: "what was announced before is not announced again",
			do: func(t *Table) {
				t.SetNetwork(vni, nil)
				t.Received(east, at(east, 1, 0, ""), false)
				t.SetNetwork(vni, []string{"east"})
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}},
		},
		"our own": {
			reason: "what another edge of ours announced comes back by a reflector",
			do: func(t *Table) {
				t.SetOwn([]netip.Addr{leaf})
				t.Received(reflector, at(leaf, 1, 0, ""), false)
			},
		},
		"highest sequence": {
			reason: "a MAC address is where it moved last",
			do: func(t *Table) {
				t.Received(east, at(east, 1, 1, ""), false)
				t.Received(west, at(west, 1, 2, ""), false)
			},
			at: west, want: []Status{{Peer: "east", VNI: vni, MACs: 1}, {Peer: "west", VNI: vni, MACs: 1}},
		},
		"lowest VTEP": {
			reason: "with equal sequences all sides choose the same",
			do: func(t *Table) {
				t.Received(west, at(west, 1, 2, ""), false)
				t.Received(east, at(east, 1, 2, ""), false)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}, {Peer: "west", VNI: vni, MACs: 1}},
		},
		"unreachable": {
			reason: "what BFD sees dead loses, whatever its sequence",
			do: func(t *Table) {
				t.Received(west, at(west, 1, 9, ""), false)
				t.Received(east, at(east, 1, 1, ""), false)
				t.SetReachable(west, false)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}, {Peer: "west", VNI: vni, MACs: 1}},
		},
		"unreachable and no other": {
			reason: "BFD may be wrong: there is nothing to lose",
			do: func(t *Table) {
				t.SetReachable(east, false)
				t.Received(east, at(east, 1, 1, ""), false)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}},
		},
		"our MAC address": {
			reason: "a running attachment keeps its MAC address, whatever the sequence",
			do: func(t *Table) {
				t.SetLocal(vni, mac(1), local)
				t.Received(east, at(east, 1, 1<<32-1, ""), false)
			},
			want: []Status{{Peer: "east", VNI: vni, Conflict: "02:00:00:00:00:01"}},
		},
		"our MAC address, bound later": {
			reason: "a MAC address that is bound here is here",
			do: func(t *Table) {
				t.Received(east, at(east, 1, 7, ""), false)
				t.SetLocal(vni, mac(1), local)
			},
			want: []Status{{Peer: "east", VNI: vni, Conflict: "02:00:00:00:00:01"}},
		},
		"our address": {
			reason: "a running attachment keeps its address; the MAC address is no one's here",
			do: func(t *Table) {
				t.SetLocal(vni, mac(2), local)
				t.Received(east, at(east, 1, 0, ""), false)
				t.Received(east, at(east, 1, 0, "192.0.2.1"), false)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1, Conflict: "192.0.2.1"}},
		},
		"no conflict any more": {
			reason: "when the attachment is gone the address is the peer's",
			do: func(t *Table) {
				t.SetLocal(vni, mac(1), local)
				t.Received(east, at(east, 1, 0, "192.0.2.1"), false)
				t.DeleteLocal(vni, mac(1))
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}},
		},
		"too many": {
			reason: "those that come first are taken",
			do: func(t *Table) {
				for m := 4; m > 0; m-- {
					t.Received(east, at(east, m, 0, ""), false)
				}
			},
			want: []Status{{Peer: "east", VNI: vni, MACs: 3, Refused: 1}},
		},
		"room again": {
			reason: "when one goes, one that was left out is taken",
			do: func(t *Table) {
				for m := 4; m > 0; m-- {
					t.Received(east, at(east, m, 0, ""), false)
				}
				t.Received(east, at(east, 3, 0, ""), true)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 3}},
		},
		"another network": {
			reason: "a quota is for one network and one peer",
			do: func(t *Table) {
				t.SetNetwork(vni+1, []string{"east"})
				for m := 4; m > 1; m-- {
					l := at(east, m, 0, "")
					l.VNI, l.RD[7] = vni+1, 2
					t.Received(east, l, false)
				}
				t.Received(east, at(east, 1, 0, ""), false)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}, {Peer: "east", VNI: vni + 1, MACs: 3}},
		},
		"session lost": {
			reason: "a peer that does not restart takes its routes along",
			do: func(t *Table) {
				t.Session(east, true, false, start)
				t.Received(east, at(east, 1, 0, ""), false)
				t.Session(east, false, false, start)
			},
		},
		"session restarts": {
			reason: "a peer that restarts keeps its routes",
			do: func(t *Table) {
				t.Session(east, true, false, start)
				t.Received(east, at(east, 1, 0, ""), false)
				t.Session(east, false, true, start)
				t.Expire(start.Add(RestartTime - 1))
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}},
		},
		"session does not come back": {
			reason: "for as long as its restart time",
			do: func(t *Table) {
				t.Session(east, true, false, start)
				t.Received(east, at(east, 1, 0, ""), false)
				t.Session(east, false, true, start)
				t.Expire(t.NextExpiry())
			},
		},
		"session is back": {
			reason: "what it did not announce again until End-of-RIB is gone",
			do: func(t *Table) {
				t.Session(east, true, false, start)
				t.Received(east, at(east, 1, 0, ""), false)
				t.Received(east, at(east, 2, 0, ""), false)
				t.Session(east, false, true, start)
				t.Session(east, true, false, start)
				t.Received(east, at(east, 1, 0, ""), false)
				t.End(east)
			},
			at: east, want: []Status{{Peer: "east", VNI: vni, MACs: 1}},
		},
		"session is lost twice": {
			reason: "nothing is kept over two losses without being announced between",
			do: func(t *Table) {
				t.Session(east, true, false, start)
				t.Received(east, at(east, 1, 0, ""), false)
				for range 2 {
					t.Session(east, false, true, start)
					t.Session(east, true, false, start)
				}
				t.Session(east, false, true, start)
			},
		},
		"peer removed": {
			reason: "the administrator takes consent back",
			do: func(t *Table) {
				t.Received(east, at(east, 1, 0, ""), false)
				t.SetPeers(nil)
			},
		},
		"endpoint of none": {
			reason: "a late event of a session that was closed",
			do: func(t *Table) {
				t.SetPeers(nil)
				t.Received(east, at(east, 1, 0, ""), false)
				t.Session(east, true, false, start)
				t.End(east)
			},
		},
		"moves to another VNI": {
			reason: "an announcement takes the place of the one before",
			do: func(t *Table) {
				t.SetNetwork(vni+1, []string{"east"})
				t.Received(east, at(east, 1, 0, ""), false)
				l := at(east, 1, 0, "")
				l.VNI++
				t.Received(east, l, false)
			},
			want: []Status{{Peer: "east", VNI: vni + 1, MACs: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := agreed(3)
			c.do(table)
			if via, _ := table.Follow(vni, mac(1)); via.VTEP != c.at {
				t.Errorf("%s: it is at %v, not at %v", c.reason, via.VTEP, c.at)
			}
			got := table.Changes().Statuses
			slices.SortFunc(got, func(a, b Status) int { return memberOf(a).compare(memberOf(b)) })
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: statuses differ (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func memberOf(s Status) memberKey { return memberKey{s.Peer, s.VNI} }

func (k memberKey) compare(l memberKey) int {
	return slices.Compare([]string{k.peer, fmt.Sprint(k.vni)}, []string{l.peer, fmt.Sprint(l.vni)})
}

func TestSequences(t *testing.T) {
	table := agreed(10)
	sequence := func(m int) uint32 { s, _ := table.Sequence(vni, mac(m)); return s }
	table.Received(east, at(east, 1, 4, ""), false)
	table.Received(west, at(west, 1, 6, "192.0.2.1"), false)
	table.SetLocal(vni, mac(1), nil)
	table.SetLocal(vni, mac(2), nil)
	if sequence(1) != 7 || sequence(2) != 0 {
		t.Errorf("what moved here has sequence %d, not 7; what is new %d, not 0", sequence(1), sequence(2))
	}
	table.Changes()
	table.Received(east, at(east, 1, 7, ""), false)
	if c := table.Changes().Sequences; len(c) != 1 || c[0] != (Sequence{VNI: vni, MAC: mac(1), Sequence: 8}) {
		t.Errorf("one that is announced as high as ours changes %v", c)
	}
	// Two sides that both have it stop.
	for range 20 {
		table.Received(east, at(east, 1, sequence(1), ""), false)
	}
	if got := sequence(1); got != 7+maxRaises {
		t.Errorf("after a dispute the sequence is %d, not %d", got, 7+maxRaises)
	}
	table.Received(east, at(east, 3, 1<<32-1, ""), false)
	table.SetLocal(vni, mac(3), nil)
	if sequence(3) != 1<<32-1 {
		t.Errorf("above the last there is %d", sequence(3))
	}
	table.SetFloor(100)
	table.SetLocal(vni, mac(4), nil)
	if sequence(1) != 100 || sequence(4) != 100 {
		t.Errorf("an edge that takes over announces %d and %d, not 100", sequence(1), sequence(4))
	}
}

// What a peer announces beyond MaxRoutes is not held; what it may not is counted.
func TestLeft(t *testing.T) {
	table := NewTable()
	table.SetPeers([]PeerPolicy{{Name: "east", Endpoints: []netip.Addr{east}, MaxMACs: 1, MaxRoutes: 3}})
	table.SetNetwork(vni, []string{"east"})
	table.Received(east, at(east, 1, 0, ""), false)
	table.Received(east, at(west, 2, 0, ""), false)
	l := at(east, 3, 0, "")
	l.VNI++
	table.Received(east, l, false)
	for m := range 5 {
		table.Received(east, at(east, m+4, 0, ""), false)
	}
	routes, left := table.Left(east)
	want := map[Reason]int{ForeignVTEP: 1, NotAgreed: 1, TooManyRoutes: 5}
	if diff := cmp.Diff(want, left); routes != 3 || diff != "" {
		t.Errorf("%d routes, left (-want +got):\n%s", routes, diff)
	}
	table.Session(east, false, false, start)
	if routes, left := table.Left(east); routes != 0 || len(left) != 0 {
		t.Errorf("after its session %d routes, left %v", routes, left)
	}
}

// A fabric floods a network to no more VTEPs than its share, and takes nothing from another.
func TestTooManyVTEPs(t *testing.T) {
	table := NewTable()
	fabric := func(name string, endpoint netip.Addr, vteps string) PeerPolicy {
		return PeerPolicy{Name: name, Fabric: true, Endpoints: []netip.Addr{endpoint}, VTEPs: []netip.Prefix{netip.MustParsePrefix(vteps)}, MaxMACs: 1}
	}
	table.SetPeers([]PeerPolicy{fabric("greedy", reflector, "10.8.0.0/16"), fabric("other", east, "10.9.0.0/24"), {Name: "west", Endpoints: []netip.Addr{west}, MaxMACs: 1}})
	table.SetNetwork(vni, []string{"greedy", "west"})
	vtep := netip.MustParseAddr("10.8.0.1")
	for range 1000 {
		table.Received(reflector, joins(vtep), false)
		vtep = vtep.Next()
	}
	table.Received(east, joins(leaf), false)
	table.Received(west, joins(west), false)
	is := func(want map[string]int, refused int) {
		t.Helper()
		got := map[string]int{}
		for _, via := range table.Flood(vni) {
			got[via.Peer]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("VTEPs (-want +got):\n%s", diff)
		}
		if s := table.Status("greedy", vni); s.VTEPsRefused != refused {
			t.Errorf("left out are %d, want %d", s.VTEPsRefused, refused)
		}
	}
	is(map[string]int{"greedy": MaxVTEPs, "west": 1}, 1000-MaxVTEPs)
	table.Changes()
	table.SetNetwork(vni, []string{"greedy", "other", "west"})
	is(map[string]int{"greedy": MaxVTEPs / 2, "other": 1, "west": 1}, 1000-MaxVTEPs/2)
	if c := table.Changes(); len(c.Floods) != 1 || len(c.Floods[0].To) != MaxVTEPs/2+2 {
		t.Errorf("changes: %+v", c.Floods)
	}
}

// With more room, those that wait come before those that the same change lets in.
func TestRoomIsForThoseThatWait(t *testing.T) {
	table := NewTable()
	policy := PeerPolicy{Name: "fabric", Fabric: true, Endpoints: []netip.Addr{reflector}, VTEPs: []netip.Prefix{netip.PrefixFrom(leaf, 32)}, MaxMACs: 1}
	table.SetPeers([]PeerPolicy{policy})
	table.SetNetwork(vni, []string{"fabric"})
	table.Received(reflector, at(east, 3, 0, ""), false)
	table.Received(reflector, at(leaf, 1, 0, ""), false)
	table.Received(reflector, at(leaf, 2, 0, ""), false)
	policy.VTEPs, policy.MaxMACs = append(policy.VTEPs, netip.PrefixFrom(east, 32)), 2
	table.SetPeers([]PeerPolicy{policy})
	for m, want := range map[int]bool{1: true, 2: true, 3: false} {
		if _, got := table.Follow(vni, mac(m)); got != want {
			t.Errorf("MAC address %d is followed: %t", m, got)
		}
	}
}

// At most MaxAddresses of a MAC address are reported, the same on all sides.
func TestHostAddresses(t *testing.T) {
	table := agreed(10)
	for i := 20; i > 0; i-- {
		table.Received(east, at(east, 1, 0, fmt.Sprintf("192.0.2.%d", i)), false)
	}
	want := addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8")
	for _, hosts := range [][]Host{table.Changes().Hosts, table.Hosts("east", vni)} {
		if len(hosts) != 1 || !slices.Equal(hosts[0].Addresses, want) {
			t.Errorf("hosts are %v", hosts)
		}
	}
}

// A change costs what changes, not what there is.
func TestChangesNameWhatChanged(t *testing.T) {
	table := agreed(10000)
	for m := range 5000 {
		table.Received(east, at(east, m, 0, ""), false)
	}
	table.Changes()
	table.Received(east, at(east, 7, 1, ""), false)
	table.Received(west, at(west, 8, 1, ""), false)
	c := table.Changes()
	if len(c.Follows) != 1 || len(c.Hosts) != 2 || len(c.Statuses) != 1 || len(c.Floods) != 0 {
		t.Errorf("one MAC address moved, and it says %+v", c)
	}
	if c := table.Changes(); len(c.Follows)+len(c.Hosts)+len(c.Statuses) != 0 {
		t.Errorf("nothing changed, and it says %+v", c)
	}
}

// BenchmarkTable is a new MAC address in a table with 10,000, and a peer of 10,000 that
// comes and goes.
func BenchmarkTable(b *testing.B) {
	full := func() *Table {
		table := agreed(20000)
		for m := range 10000 {
			table.Received(east, at(east, m, 0, ""), false)
			table.Received(east, at(east, m, 0, fmt.Sprintf("10.0.%d.%d", m/250, m%250+1)), false)
		}
		table.Changes()
		return table
	}
	b.Run("one of 10000", func(b *testing.B) {
		table := full()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			table.Received(east, at(east, 10001, uint32(i), "10.1.0.1"), false)
			table.Changes()
		}
	})
	b.Run("10000 come and go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			table := full()
			table.Session(east, false, false, start)
			if c := table.Changes(); len(c.Follows) != 10000 {
				b.Fatalf("%d MAC addresses are gone", len(c.Follows))
			}
		}
	})
	b.Run("10000 unreachable", func(b *testing.B) {
		table := full()
		for i := 0; b.Loop(); i++ {
			table.SetReachable(east, i%2 == 1)
			table.Changes()
		}
	})
}
