package ipam

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/internal/heaptest"
)

// says is what a peer announces: one MAC address for each address.
func says(peer string, addresses ...string) Announced {
	var macs []MAC
	var all []netip.Addr
	for _, text := range addresses {
		addr := netip.MustParseAddr(text)
		all = append(all, addr)
		macs = append(macs, macOfRemote(addr))
	}
	return NewAnnounced(peer, macs, all)
}

// macOfRemote is none that a pool assigns.
func macOfRemote(addr netip.Addr) MAC {
	b := addr.As16()
	return MAC{0x02, 0xee, b[12], b[13], b[14], b[15]}
}

func freedBy(addresses ...string) Freed {
	a := says("", addresses...)
	return Freed{a.MACs, a.Addresses}
}

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestAnnounce(t *testing.T) {
	type step struct {
		part string
		says Announced
		want Freed
	}
	const first, second, third = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	cases := map[string]struct {
		reason string
		steps  []step
		held   []string // of the three
	}{
		"Announced": {"it is held", []step{{"a", says("east", first), Freed{}}}, []string{first}},
		"Twice":     {"the same again changes nothing", []step{{"a", says("east", first), Freed{}}, {"a", says("east", first), Freed{}}}, []string{first}},
		"Withdrawn": {"it is free", []step{{"a", says("east", first), Freed{}}, {"a", Announced{}, freedBy(first)}}, nil},
		"Changed":   {"what is no longer said is free", []step{{"a", says("east", first, second), Freed{}}, {"a", says("east", second, third), freedBy(first)}}, []string{second, third}},
		"Parts": {"another part of the peer says it still", []step{
			{"a", says("east", first), Freed{}}, {"b", says("east", first), Freed{}}, {"a", Announced{}, Freed{}},
		}, []string{first}},
		"Peers": {"another peer says it still", []step{
			{"a", says("east", first), Freed{}}, {"b", says("west", first), Freed{}}, {"a", Announced{}, Freed{}},
		}, []string{first}},
		"LastPeer": {"the last one withdraws it", []step{
			{"a", says("east", first), Freed{}}, {"b", says("west", first), Freed{}}, {"a", Announced{}, Freed{}}, {"b", Announced{}, freedBy(first)},
		}, nil},
		"OtherPeer": {"a part is another peer's by now", []step{{"a", says("east", first), Freed{}}, {"a", says("west", second), freedBy(first)}}, []string{second}},
		"Outside":   {"addresses of no subnet change nothing", []step{{"a", says("east", "192.0.2.1", "fd00::1"), Freed{}}}, nil},
		"Unknown":   {"what was never said is withdrawn", []step{{"a", Announced{}, Freed{}}}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := pool(t, []string{"10.0.0.0/29"}, []string{"10.0.0.1-10.0.0.3"}, nil)
			for i, s := range tc.steps {
				freed, ignored := p.Announce(s.part, s.says)
				if diff := cmp.Diff(s.want, freed, compareAddrs); diff != "" || ignored != 0 {
					t.Errorf("%s: step %d: %d ignored, freed -want +got\n%s", tc.reason, i, ignored, diff)
				}
			}
			for _, text := range []string{first, second, third} {
				held := slices.Contains(tc.held, text)
				err := p.Elsewhere(request2lease(t, text), Lease{})
				if is := isElsewhere(err); is != held {
					t.Errorf("%s: %s: %v, want held %t", tc.reason, text, err, held)
				}
			}
			for i := range 3 - len(tc.held) {
				lease := mustAllocate(t, p, fmt.Sprint(i))
				if addr := lease.Addresses[0].Addr().String(); slices.Contains(tc.held, addr) {
					t.Errorf("%s: %s was assigned", tc.reason, addr)
				}
			}
			exhausted := &ExhaustedError{}
			if _, err := p.Allocate("one more", Request{}); !errors.As(err, &exhausted) {
				t.Errorf("%s: one more was assigned, %v", tc.reason, err)
			}
		})
	}
}

func request2lease(t *testing.T, text string) Lease {
	t.Helper()
	addr := netip.MustParseAddr(text)
	return Lease{macOfRemote(addr), []netip.Prefix{netip.PrefixFrom(addr, 29)}}
}

func isElsewhere(err error) bool {
	var is *ElsewhereError
	return errors.As(err, &is)
}

// Who has what a peer announces keeps it; nobody else gets it, before or after.
func TestAnnouncedAndLeased(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/24"}, nil, nil)
	has := request2lease(t, "10.0.0.7")
	if err := p.Take("default/a", has, Lease{}); err != nil {
		t.Fatal(err)
	}
	p.Announce("a", says("east", "10.0.0.7", "10.0.0.8"))
	if err := p.Take("default/a", has, has); err != nil {
		t.Errorf("what it has: %v", err)
	}
	if err := p.Take("default/a", has, Lease{}); !isElsewhere(err) {
		t.Errorf("what it is to have again: %v", err)
	}
	taken := &AddressTakenError{}
	if _, err := p.Allocate("default/b", request(t, "", "10.0.0.7")); !errors.As(err, &taken) {
		t.Errorf("what another has: %v", err)
	}
	if _, err := p.Allocate("default/b", request(t, "", "10.0.0.8")); !isElsewhere(err) || p.Has("default/b") {
		t.Errorf("an announced address: %v", err)
	}
	if _, err := p.Allocate("default/b", request(t, macOfRemote(netip.MustParseAddr("10.0.0.8")).String())); !isElsewhere(err) {
		t.Errorf("an announced MAC address: %v", err)
	}
	p.Release("default/a")
	if _, err := p.Allocate("default/b", request(t, "", "10.0.0.7")); !isElsewhere(err) {
		t.Errorf("released here, announced there: %v", err)
	}
	if err := p.Hold("default/a", has); err != nil {
		t.Errorf("what is on record: %v", err)
	}
	p.Announce("a", Announced{})
	if free := p.subnets[0].tracks(); free {
		t.Error("free addresses are kept for one lease")
	}
	if _, err := p.Allocate("default/b", request(t, "", "10.0.0.8")); err != nil {
		t.Errorf("withdrawn: %v", err)
	}
}

// A MAC address that would be assigned and is announced is another's.
func TestAnnouncedMACIsNotAssigned(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/24"}, nil, nil)
	would := macOf(netip.MustParseAddr("10.0.0.1"))
	p.Announce("a", NewAnnounced("east", []MAC{would}, nil))
	if lease := mustAllocate(t, p, "default/a"); lease.MAC == would {
		t.Errorf("%s was assigned", would)
	}
}

// What is announced outlives a config, and counts in the next.
func TestAnnouncedUnderAnotherConfig(t *testing.T) {
	p := NewPool()
	p.Announce("a", says("east", "10.0.0.1"))
	c, err := ParseConfig([]string{"10.0.0.0/30"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Configure(c); err != nil {
			t.Fatal(err)
		}
		if lease := mustAllocate(t, p, "default/a"); lease.Addresses[0].Addr() != netip.MustParseAddr("10.0.0.2") {
			t.Errorf("%s was assigned", lease.Addresses[0])
		}
		p.Release("default/a")
		p.Unconfigure()
	}
}

// A peer announces what it likes: what is too much is left out, and counted.
func TestAnnouncedIsBounded(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/8"}, nil, nil)
	many := func(peer string, from, count, addresses int) Announced {
		macs, addrs := make([]MAC, count), make([]netip.Addr, 0, count*addresses)
		for i := range macs {
			n := from + i
			macs[i] = MAC{2, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}
			for k := range addresses {
				addrs = append(addrs, netip.AddrFrom4([4]byte{10, byte(n>>16) + byte(16*k), byte(n >> 8), byte(n)}))
			}
		}
		return NewAnnounced(peer, macs, addrs)
	}
	if _, ignored := p.Announce("a", many("east", 0, maxMACs, 2)); ignored != 0 {
		t.Errorf("as many as may be: %d are ignored", ignored)
	}
	if _, ignored := p.Announce("b", many("east", maxMACs-1, 3, 1)); ignored != 4 {
		t.Errorf("two more, of which it has announced one, with an address each: %d are ignored", ignored)
	}
	if _, ignored := p.Announce("c", many("west", maxMACs, 2, 1)); ignored != 0 {
		t.Errorf("another peer: %d are ignored", ignored)
	}
	freed, _ := p.Announce("b", Announced{})
	if len(freed.MACs)+len(freed.Addresses) != 0 {
		t.Errorf("what was ignored is freed: %v", freed)
	}
	for i := range maxPeers {
		_, ignored := p.Announce(fmt.Sprint("peer ", i), says(fmt.Sprint(i), "10.0.0.1"))
		if want := i >= maxPeers-2; (ignored > 0) != want {
			t.Errorf("peer number %d: %d are ignored", i+3, ignored)
		}
	}
}

// One host more costs that host, whatever else the peer announces: allocations are
// counted, at a hundred hosts and at sixty thousand.
func TestAnnounceCostsTheChange(t *testing.T) {
	cost := func(parts int) float64 {
		p := pool(t, []string{"10.0.0.0/8"}, nil, nil)
		for i := range parts {
			p.Announce(fmt.Sprint(i), thousand("east", i, 1_000))
		}
		with, without := thousand("east", parts, 101), thousand("east", parts, 100)
		p.Announce("last", without)
		return testing.AllocsPerRun(100, func() {
			p.Announce("last", with)
			p.Announce("last", without)
		})
	}
	if few, many := cost(1), cost(60); many > few+1 {
		t.Errorf("one host comes and goes: %g allocations among 1,000 hosts, %g among 60,000", few, many)
	}
}

func thousand(peer string, part, hosts int) Announced {
	macs, addrs := make([]MAC, hosts), make([]netip.Addr, hosts)
	for i := range macs {
		addrs[i] = netip.AddrFrom4([4]byte{10, byte(part), byte(i >> 8), byte(i)})
		macs[i] = macOfRemote(addrs[i])
	}
	return NewAnnounced(peer, macs, addrs)
}

// What is held of other sides' hosts, with an IPv4 address each, and left of them.
func TestAnnouncedIsSmall(t *testing.T) {
	const parts, hosts, most = 20, 1_000, 200
	p := pool(t, []string{"10.0.0.0/8"}, nil, nil)
	each := heaptest.Retained(func() {
		for i := range parts {
			p.Announce(fmt.Sprint(i), thousand("east", i, hosts))
		}
	}) / (parts * hosts)
	t.Logf("one host takes %d bytes", each)
	if each > most {
		t.Errorf("one host takes %d bytes, want at most %d", each, most)
	}
	p.Announce("west", says("west", "10.255.0.1"))
	for i := range parts {
		p.Announce(fmt.Sprint(i), Announced{})
	}
	if len(p.elsewhere.sides) != 1 {
		t.Errorf("one peer announces something, and %d are kept", len(p.elsewhere.sides))
	}
	p.Announce("west", Announced{})
	if p.elsewhere.sides != nil || p.elsewhere.parts != nil || p.subnets[0].tracks() {
		t.Errorf("after all is withdrawn there is %v", p.elsewhere)
	}
	runtime.KeepAlive(p)
}
