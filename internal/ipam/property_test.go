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
		"restart": func(*rapid.T) {
			p = NewPool()
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

func allocate(t *rapid.T, p *Pool, model map[string]Lease, owner string, r Request) {
	had, holds := model[owner]
	lease, err := p.Allocate(owner, r)
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
		if s.tracks() != p.leases.many() {
			t.Fatalf("subnet %s tracks its free addresses: %t, with %d leases", s.prefix, s.tracks(), p.Len())
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
