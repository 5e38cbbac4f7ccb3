package ipam

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is allocated, held, released and reconfigured in whatever order:
// never twice, never outside, and in the end everything is back.
func TestPoolProperties(t *testing.T) { rapid.Check(t, checkPool) }

var propertySubnets = [][]string{
	{"10.0.0.0/28"}, {"10.0.0.0/31"}, {"223.255.255.240/28"}, {"fd00::/125"},
	{"10.0.0.0/29", "fd00::/124"}, {"10.0.0.0/8", "fd00::/64"}, nil,
}

func checkPool(t *rapid.T) {
	subnets := rapid.SampledFrom(propertySubnets).Draw(t, "subnets")
	excluded := []string{}
	if len(subnets) > 0 && rapid.Bool().Draw(t, "exclude") {
		first := netip.MustParsePrefix(subnets[0]).Addr()
		excluded = append(excluded, fmt.Sprintf("%s-%s", first, first.Next()))
	}
	c, err := ParseConfig(subnets, nil, excluded)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPool()
	if err := p.Configure(c); err != nil {
		t.Fatal(err)
	}

	model := map[string]Lease{}
	remote := remoteModel{}
	owner := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("ns/%d", rapid.IntRange(0, 25).Draw(t, "n")) })
	t.Repeat(map[string]func(*rapid.T){
		"allocate": func(t *rapid.T) { allocate(t, p, model, owner.Draw(t, "owner"), Request{}) },
		"ask": func(t *rapid.T) {
			if len(subnets) == 0 {
				t.Skip("nothing to ask for")
			}
			// A few addresses from just before the subnet: in, out and taken.
			addr := netip.MustParsePrefix(subnets[0]).Addr().Prev()
			for range rapid.IntRange(0, 18).Draw(t, "offset") {
				addr = addr.Next()
			}
			if !addr.IsValid() {
				t.Skip("past the family's end")
			}
			allocate(t, p, model, owner.Draw(t, "owner"), Request{Addresses: []netip.Prefix{netip.PrefixFrom(addr, -1)}})
		},
		"release": func(t *rapid.T) {
			o := owner.Draw(t, "owner")
			p.Release(o)
			delete(model, o)
		},
		"announce": func(t *rapid.T) {
			part, peer := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "part")), fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "peer"))
			remote.announce(t, p, part, drawAnnounced(t, subnets, peer))
		},
		"restart": func(*rapid.T) {
			p = NewPool()
			for part, says := range remote {
				p.Announce(part, says)
			}
			for o, lease := range model {
				if err := p.Hold(o, lease); err != nil {
					t.Fatalf("rebuild %s: %v", o, err)
				}
			}
			if err := p.Configure(c); err != nil {
				t.Fatal(err)
			}
		},
		"": func(t *rapid.T) {
			checkLeases(t, model, subnets, excluded)
			checkTracked(t, p)
		},
	})

	for o := range model {
		p.Release(o)
	}
	for part := range remote {
		p.Announce(part, Announced{})
	}
	if p.leases.list != nil || p.leases.many() {
		t.Fatalf("something is left: %v", p.leases)
	}
	fresh := NewPool()
	if err := fresh.Configure(c); err != nil {
		t.Fatal(err)
	}
	for i, s := range p.subnets {
		if got, want := freeOf(p, s), freeOf(fresh, fresh.subnets[i]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("free %v after all is returned, want %v", got, want)
		}
	}
}

// remoteModel is what peers announce, by part.
type remoteModel map[string]Announced

// announce changes one part, and checks that what is said to be free is what nobody
// announces any more.
func (m remoteModel) announce(t *rapid.T, p *Pool, part string, says Announced) {
	before := m[part]
	m[part] = says
	if len(says.MACs)+len(says.Addresses) == 0 {
		delete(m, part)
	}
	freed, ignored := p.Announce(part, says)
	if ignored > 0 {
		t.Fatalf("%d of %v are ignored", ignored, says)
	}
	for _, addr := range before.Addresses {
		said := false
		for _, all := range m {
			said = said || slices.Contains(all.Addresses, addr)
		}
		if _, held := p.elsewhere.holder(addr); held != said {
			t.Fatalf("%s is held %t, announced %t", addr, held, said)
		}
		if !said && !slices.Contains(freed.Addresses, addr) {
			t.Fatalf("%s is announced no longer, and freed are %v", addr, freed)
		}
	}
}

func drawAnnounced(t *rapid.T, subnets []string, peer string) Announced {
	addr := netip.MustParseAddr("10.0.0.0")
	if len(subnets) > 0 {
		addr = netip.MustParsePrefix(subnets[0]).Addr()
	}
	var macs []MAC
	var addresses []netip.Addr
	for i := range 12 {
		if addr = addr.Next(); !addr.IsValid() {
			break
		}
		if rapid.Bool().Draw(t, fmt.Sprint(addr)) {
			addresses = append(addresses, addr)
			macs = append(macs, MAC{2, 0xee, 0, 0, 0, byte(i)})
		}
	}
	return NewAnnounced(peer, macs, addresses)
}

func allocate(t *rapid.T, p *Pool, model map[string]Lease, owner string, r Request) {
	had, holds := model[owner]
	lease, err := p.Allocate(owner, r)
	if err == nil && !holds && p.Elsewhere(lease, Lease{}) != nil {
		t.Fatalf("%s was given %v: %v", owner, lease, p.Elsewhere(lease, Lease{}))
	}
	var exhausted *ExhaustedError
	if errors.As(err, &exhausted) {
		for _, s := range p.subnets {
			if s.prefix == exhausted.Subnet && len(freeOf(p, s)) > 0 {
				t.Fatalf("%v, but %v are free", err, freeOf(p, s))
			}
		}
	}
	if err != nil && exhausted == nil && len(r.Addresses) == 0 {
		t.Fatalf("nothing was asked for, and it is refused: %v", err)
	}
	if err != nil {
		return
	}
	if holds && fmt.Sprint(had) != fmt.Sprint(lease) {
		t.Fatalf("%s had %v and was given %v", owner, had, lease)
	}
	model[owner] = lease
}

func checkLeases(t *rapid.T, model map[string]Lease, subnets, excluded []string) {
	seen := map[any]string{}
	once := func(key any, owner string) {
		if other, twice := seen[key]; twice {
			t.Fatalf("%v was given to %s and to %s", key, other, owner)
		}
		seen[key] = owner
	}
	for owner, lease := range model {
		once(lease.MAC, owner)
		if len(lease.Addresses) != len(subnets) {
			t.Fatalf("%s has %v on a network of subnets %v", owner, lease.Addresses, subnets)
		}
		for _, a := range lease.Addresses {
			once(a.Addr(), owner)
			checkAddress(t, a, subnets, excluded)
		}
	}
}

func checkAddress(t *rapid.T, a netip.Prefix, subnets, excluded []string) {
	for _, text := range excluded {
		if r, _ := ParseRange(text); !a.Addr().Less(r.First) && !r.Last.Less(a.Addr()) {
			t.Fatalf("%s is excluded by %s", a, text)
		}
	}
	for _, text := range subnets {
		subnet := netip.MustParsePrefix(text)
		if !subnet.Contains(a.Addr()) {
			continue
		}
		all := rangeOf(subnet)
		hosts := a.Addr().BitLen() - subnet.Bits()
		if hosts > 1 && (a.Addr() == all.First || a.Addr().Is4() && a.Addr() == all.Last) {
			t.Fatalf("%s is no host's", a)
		}
		return
	}
	t.Fatalf("%s is in none of %v", a, subnets)
}

// checkTracked: what subnets keep of their free addresses is right, and kept
// while the leases are many.
func checkTracked(t *rapid.T, p *Pool) {
	for _, s := range p.subnets {
		if s.tracks() != (p.leases.many() || p.Announces()) {
			t.Fatalf("subnet %s tracks its free addresses: %t, with %d leases, announced %t", s.prefix, s.tracks(), p.Len(), p.Announces())
		}
		if !s.tracks() {
			continue
		}
		if got, want := intervals(s.free), freeOf(p, s); !slices.Equal(got, want) {
			t.Fatalf("subnet %s has %v free, want %v", s.prefix, got, want)
		}
	}
}

// freeOf are the subnet's free addresses, whatever the pool keeps of them.
func freeOf(p *Pool, s *subnet) []Range {
	var taken []Range
	for _, lease := range p.leases.all() {
		for _, a := range lease.Addresses {
			taken = append(taken, single(a.Addr()))
		}
	}
	for _, part := range p.elsewhere.parts {
		for _, a := range part.Addresses {
			taken = append(taken, single(a))
		}
	}
	return without(s.assignable, taken)
}

func intervals(s set) []Range {
	var all []Range
	s.intervals.Ascend(func(r Range) bool {
		all = append(all, r)
		return true
	})
	return all
}
