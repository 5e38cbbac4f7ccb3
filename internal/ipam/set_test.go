package ipam

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// The set against the obvious one: a bool for each of 64 addresses at the very
// end of a family, where the address behind the last does not exist.
func TestSetIsASet(t *testing.T) {
	cases := map[string]struct {
		reason string
		first  netip.Addr
	}{
		"v4": {"255.255.255.255 has no successor", netip.MustParseAddr("255.255.255.192")},
		"v6": {"nor has the last of IPv6", netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffc0")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { checkSet(t, tc.first, tc.reason) }) })
	}
}

func checkSet(t *rapid.T, first netip.Addr, reason string) {
	const size = 64
	addrs := make([]netip.Addr, size)
	for i, a := 0, first; i < size; i, a = i+1, a.Next() {
		addrs[i] = a
	}
	have := [size]bool{}
	s := newSet(byFirst)
	step := func(put bool) func(*rapid.T) {
		return func(t *rapid.T) {
			from := rapid.IntRange(0, size-1).Draw(t, "from")
			to := rapid.IntRange(from, size-1).Draw(t, "to")
			r := Range{addrs[from], addrs[to]}
			if put {
				s.add(r)
			} else {
				s.remove(r)
			}
			for i := from; i <= to; i++ {
				have[i] = put
			}
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"add":    step(true),
		"remove": step(false),
		"": func(t *rapid.T) {
			next := netip.Addr{}
			runs := 0
			for i := size - 1; i >= 0; i-- {
				if have[i] {
					next = addrs[i]
				}
				if have[i] && (i == 0 || !have[i-1]) {
					runs++
				}
				if got := s.contains(addrs[i]); got != have[i] {
					t.Fatalf("%s: contains(%s) = %t, want %t", reason, addrs[i], got, have[i])
				}
				if got, _ := s.next(addrs[i]); got != next {
					t.Fatalf("%s: next(%s) = %s, want %s", reason, addrs[i], got, next)
				}
			}
			if s.intervals.Len() != runs {
				t.Fatalf("%s: %d intervals for %d runs: touching ones are not joined", reason, s.intervals.Len(), runs)
			}
		},
	})
}
