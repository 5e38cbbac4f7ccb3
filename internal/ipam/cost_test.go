package ipam

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"l2sm.io/l2sm/internal/heaptest"
)

// A take and a release look at O(log n) intervals: comparisons are counted, at
// a thousand gaps and at fifty times as many.
func TestTakeAndReleaseAreLogarithmic(t *testing.T) {
	few, many := comparisons(t, 1_000), comparisons(t, 50_000)
	if few == 0 || many > 2*few {
		t.Errorf("one address taken and released costs %d comparisons at 1,000 gaps and %d at 50,000", few, many)
	}
}

func comparisons(t *testing.T, gaps int) int {
	t.Helper()
	p := pool(t, []string{"10.0.0.0/8"}, nil, nil)
	for i := range 2 * gaps {
		if _, err := p.Allocate(fmt.Sprint(i), Request{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 2*gaps; i += 2 {
		p.Release(fmt.Sprint(i))
	}
	steps := 0
	counted := newSet(func(a, b Range) bool {
		steps++
		return byFirst(a, b)
	})
	for _, r := range intervals(p.subnets[0].free) {
		counted.add(r)
	}
	p.subnets[0].free = counted
	steps = 0
	if _, err := p.Allocate("one", request(t, "", "10.0.4.1")); err != nil {
		t.Fatal(err)
	}
	p.Release("one")
	return steps
}

// Small networks cost little: 10,000 of them with two subnets each had 31 MB of
// free lists and trees before anybody used one.
func TestPoolIsSmall(t *testing.T) {
	cases := map[string]struct {
		reason string
		leases int
		most   int
	}{
		"Unused": {"What all addresses are free of needs no tree.", 0, 600},
		"Used":   {"One lease needs neither a tree nor a map.", 1, 750},
		"Few":    {"Nor do a few.", few, 1_700},
	}
	c, err := ParseConfig([]string{"10.0.0.0/16", "fd00::/64"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			all := make([]*Pool, 1_000)
			each := heaptest.Retained(func() {
				for i := range all {
					all[i] = NewPool()
					if err := all[i].Configure(c); err != nil {
						t.Fatal(err)
					}
					for n := range tc.leases {
						if _, err := all[i].Allocate(fmt.Sprint(n), Request{}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}) / len(all)
			if each > tc.most {
				t.Errorf("%s\na pool holds %d bytes, want at most %d", tc.reason, each, tc.most)
			}
			runtime.KeepAlive(all)
		})
	}
}

// What a network's pods had is given back with the last of them. Many pools,
// as what the runtime keeps for itself meanwhile would weigh on one.
func TestEmptiedPoolIsSmall(t *testing.T) {
	const leases, most = 2_000, 600
	all := make([]*Pool, 50)
	for i := range all {
		all[i] = pool(t, []string{"10.0.0.0/16", "fd00::/64"}, nil, nil)
	}
	left := heaptest.Retained(func() {
		for _, p := range all {
			for i := range leases {
				if _, err := p.Allocate(fmt.Sprint(i), Request{}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range leases {
				p.Release(fmt.Sprint(i))
			}
		}
	}) / len(all)
	if left > most {
		t.Errorf("an emptied pool holds %d bytes, want at most %d", left, most)
	}
	for _, p := range all {
		for _, s := range p.subnets {
			if s.free.intervals != nil {
				t.Errorf("subnet %s keeps a tree of free addresses with nothing taken", s.prefix)
			}
		}
	}
	runtime.KeepAlive(all)
}

// A narrowing names five holders and counts the rest: a status condition holds
// 32,768 bytes.
func TestStrandedIsBounded(t *testing.T) {
	const holders = 2_000
	p := pool(t, []string{"10.0.0.0/8"}, nil, nil)
	for i := range holders {
		if _, err := p.Allocate(fmt.Sprintf("%s/%04d", strings.Repeat("n", 60), holders-i), Request{}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ParseConfig([]string{"10.0.0.0/8"}, []string{"10.128.0.0/16"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stranded := &StrandedError{}
	if err := p.Configure(c); !errors.As(err, &stranded) {
		t.Fatalf("want a StrandedError, got %v", err)
	}
	if stranded.Count != holders || len(stranded.Holders) != 5 || !strings.Contains(stranded.Holders[0], "/0001 (10.") {
		t.Errorf("want %d holders, the first five by name, got %d: %v", holders, stranded.Count, stranded.Holders)
	}
	if text := stranded.Error(); len(text) > 1024 || !strings.HasSuffix(text, "and 1995 more") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func TestHas(t *testing.T) {
	p := NewPool()
	if p.Has("default/ping") {
		t.Error("an empty pool has nobody")
	}
	if err := p.Hold("default/ping", Lease{MAC{2, 0, 0, 0, 0, 1}, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}); err != nil {
		t.Fatal(err)
	}
	if !p.Has("default/ping") || p.Len() != 1 {
		t.Error("a holder is not found")
	}
}
