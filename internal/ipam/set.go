package ipam

import (
	"net/netip"

	"github.com/google/btree"
)

// set is a set of addresses of one family, kept as intervals that neither
// overlap nor touch.
type set struct{ intervals *btree.BTreeG[Range] }

// nodes are the trees' spare nodes. All sets share them, whatever goroutine
// they belong to: a list for each, which is btree's default, was a third of the
// controller's heap with 10,000 networks.
var nodes = btree.NewFreeListG[Range](btree.DefaultFreeListSize)

// newSet is an empty set. The order is byFirst, or counts what that is asked.
func newSet(order func(a, b Range) bool) set {
	const degree = 32 // about a cache line of pointers a node; not critical
	return set{intervals: btree.NewWithFreeListG(degree, order, nodes)}
}

func byFirst(a, b Range) bool { return a.First.Less(b.First) }

// clear empties the set, and hands its nodes to others.
func (s set) clear() { s.intervals.Clear(true) }

// add puts the range's addresses into the set, those that it has already
// included, and joins the intervals that touch.
func (s set) add(r Range) {
	if before, ok := s.atOrBefore(r.First); ok && touches(before, r) {
		r = join(before, r)
		s.intervals.Delete(before)
	}
	for {
		after, ok := s.atOrAfter(r.First)
		if !ok || !touches(r, after) {
			break
		}
		r = join(r, after)
		s.intervals.Delete(after)
	}
	s.intervals.ReplaceOrInsert(r)
}

// remove takes the range's addresses out of the set, so far as it has them.
func (s set) remove(r Range) {
	if before, ok := s.atOrBefore(r.First); ok {
		s.cut(before, r)
	}
	for {
		after, ok := s.atOrAfter(r.First)
		if !ok || r.Last.Less(after.First) {
			return
		}
		s.cut(after, r)
	}
}

// cut replaces an interval by what is left of it without the hole.
func (s set) cut(interval, hole Range) {
	if interval.Last.Less(hole.First) || hole.Last.Less(interval.First) {
		return
	}
	s.intervals.Delete(interval)
	if interval.First.Less(hole.First) {
		s.intervals.ReplaceOrInsert(Range{First: interval.First, Last: hole.First.Prev()})
	}
	if hole.Last.Less(interval.Last) {
		s.intervals.ReplaceOrInsert(Range{First: hole.Last.Next(), Last: interval.Last})
	}
}

func (s set) contains(a netip.Addr) bool {
	r, ok := s.atOrBefore(a)
	return ok && !r.Last.Less(a)
}

// next is the set's lowest address that is not below from.
func (s set) next(from netip.Addr) (netip.Addr, bool) {
	if s.contains(from) {
		return from, true
	}
	r, ok := s.atOrAfter(from)
	return r.First, ok
}

// atOrBefore is the last interval that starts at or before a.
func (s set) atOrBefore(a netip.Addr) (Range, bool) {
	found, ok := Range{}, false
	s.intervals.DescendLessOrEqual(Range{First: a}, func(r Range) bool {
		found, ok = r, true
		return false
	})
	return found, ok
}

// atOrAfter is the first interval that starts at or after a.
func (s set) atOrAfter(a netip.Addr) (Range, bool) {
	found, ok := Range{}, false
	s.intervals.AscendGreaterOrEqual(Range{First: a}, func(r Range) bool {
		found, ok = r, true
		return false
	})
	return found, ok
}

// touches says whether b, which starts no earlier than a, overlaps a or
// follows it without a gap. The address after the family's last is invalid,
// and equal to none.
func touches(a, b Range) bool { return !a.Last.Less(b.First) || a.Last.Next() == b.First }

func join(a, b Range) Range {
	if b.First.Less(a.First) {
		a.First = b.First
	}
	if a.Last.Less(b.Last) {
		a.Last = b.Last
	}
	return a
}
