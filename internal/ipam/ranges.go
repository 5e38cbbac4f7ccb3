package ipam

import (
	"net/netip"
	"slices"
)

// ranges are a set of addresses that does not change: sorted intervals that
// neither overlap nor touch.
type ranges []Range

// rangesOf are the addresses of a set, which it empties.
func rangesOf(s set) ranges {
	all := make(ranges, 0, s.intervals.Len())
	s.intervals.Ascend(func(r Range) bool {
		all = append(all, r)
		return true
	})
	s.clear()
	return all
}

// without are the addresses of add that remove has not.
func without(add, remove []Range) ranges {
	s := newSet(byFirst)
	for _, r := range add {
		s.add(r)
	}
	for _, r := range remove {
		s.remove(r)
	}
	return rangesOf(s)
}

func (rs ranges) contains(a netip.Addr) bool {
	next, ok := rs.next(a)
	return ok && next == a
}

// next is the lowest address that is not below from.
func (rs ranges) next(from netip.Addr) (netip.Addr, bool) {
	i, _ := slices.BinarySearchFunc(rs, from, func(r Range, a netip.Addr) int { return r.Last.Compare(a) })
	if i == len(rs) {
		return netip.Addr{}, false
	}
	if rs[i].First.Less(from) {
		return from, true
	}
	return rs[i].First, true
}
