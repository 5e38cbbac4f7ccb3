package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// Leases are indexed while they are many, and become a list again at half of
// that: a pod that comes and goes at the border costs no map each time.
func TestLeasesManyAndFew(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/24"}, nil, nil)
	many := func(want bool) {
		t.Helper()
		if p.leases.many() != want || p.subnets[0].tracks() != want {
			t.Fatalf("with %d leases: indexed %t, free addresses kept %t, want %t", p.Len(), p.leases.many(), p.subnets[0].tracks(), want)
		}
	}
	for i := range few + 1 {
		many(false)
		mustAllocate(t, p, fmt.Sprint(i))
	}
	for i := few; i >= few/2; i-- {
		many(true)
		p.Release(fmt.Sprint(i))
	}
	many(false)
	for i := range few + 1 {
		mustAllocate(t, p, fmt.Sprint("again ", i))
	}
	many(true)
	if want := few/2 + few + 1; p.Len() != want || len(slices.Compact(p.Owners())) != want {
		t.Errorf("%v, want %d owners", p.Owners(), want)
	}
}

// What was held outside of the ranges is not assigned once it is released.
func TestReleasedOutsideRangesIsNotFree(t *testing.T) {
	for _, others := range []int{0, few + 1} {
		p := pool(t, []string{"10.0.0.0/24"}, []string{"10.0.0.1-10.0.0.20"}, []string{"10.0.0.15"})
		for i := range others {
			mustAllocate(t, p, fmt.Sprint(i))
		}
		for i, text := range []string{"10.0.0.15/24", "10.0.0.99/24", "10.0.0.255/24", "192.0.2.1/24"} {
			if err := p.Hold("outside", Lease{MAC{2, 0, 0, 0, 0, byte(i)}, []netip.Prefix{netip.MustParsePrefix(text)}}); err != nil {
				t.Fatal(err)
			}
			p.Release("outside")
		}
		for i := range 19 - others {
			lease := mustAllocate(t, p, fmt.Sprint("more ", i))
			if last := netip.MustParseAddr("10.0.0.20"); last.Less(lease.Addresses[0].Addr()) || lease.Addresses[0].Addr() == netip.MustParseAddr("10.0.0.15") {
				t.Errorf("with %d others, %s is assigned", others, lease.Addresses[0])
			}
		}
		if _, err := p.Allocate("one too many", Request{}); err == nil {
			t.Error("there are 19 addresses to assign")
		}
	}
}

func mustAllocate(t *testing.T, p *Pool, owner string) Lease {
	t.Helper()
	lease, err := p.Allocate(owner, Request{})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}
