package ipam

import (
	"fmt"
	"net/netip"
)

// subnet is one subnet's free addresses.
type subnet struct {
	prefix netip.Prefix
	// assignable are the addresses that are chosen from, excluded those that
	// are not even granted on request.
	assignable, excluded ranges
	// free are the assignable addresses without an owner, kept while the network's
	// leases are many, or something is announced. It is the zero set else.
	free set
	// cursor is where the next search starts: behind the last address that was
	// assigned, so that a released address rests while others are free.
	cursor netip.Addr
}

func newSubnet(prefix netip.Prefix, c Config) *subnet {
	s := &subnet{prefix: prefix, cursor: prefix.Addr()}
	for _, r := range c.Excluded {
		if prefix.Contains(r.First) {
			s.excluded = append(s.excluded, r)
		}
	}
	s.assignable = without(c.within(prefix), append(reserved(prefix), s.excluded...))
	if s.excluded != nil {
		s.excluded = without(s.excluded, nil)
	}
	return s
}

// within are the ranges to assign from in a subnet.
func (c Config) within(prefix netip.Prefix) []Range {
	var ranges []Range
	for _, r := range c.Ranges {
		if prefix.Contains(r.First) {
			ranges = append(ranges, r)
		}
	}
	if ranges == nil {
		ranges = []Range{rangeOf(prefix)}
	}
	return ranges
}

// reserved are the addresses that no host has: an IPv4 subnet's network and
// broadcast address, except in a /31 (RFC 3021) and a /32; an IPv6 subnet's
// router anycast address (RFC 4291 section 2.6.1), except in a /127 (RFC 6164)
// and a /128.
func reserved(prefix netip.Prefix) []Range {
	if prefix.Addr().BitLen()-prefix.Bits() < 2 {
		return nil
	}
	all := rangeOf(prefix)
	if prefix.Addr().Is4() {
		return []Range{single(all.First), single(all.Last)}
	}
	return []Range{single(all.First)}
}

// check says whether a request may name the address, which may still be taken.
func (s *subnet) check(asked netip.Prefix) error {
	addr := asked.Addr()
	if !s.prefix.Contains(addr) {
		return &OutOfRangeError{addr, fmt.Sprintf("is outside the network's subnet %s", s.prefix)}
	}
	if asked.Bits() >= 0 && asked.Bits() != s.prefix.Bits() {
		return &RequestError{fmt.Sprintf("address %s is in subnet %s: write %s/%d or leave the length out", asked, s.prefix, addr, s.prefix.Bits())}
	}
	for _, r := range reserved(s.prefix) {
		if r.First == addr {
			return &OutOfRangeError{addr, fmt.Sprintf("is no host's in subnet %s", s.prefix)}
		}
	}
	if s.excluded.contains(addr) {
		return &OutOfRangeError{addr, "is among the network's excluded addresses"}
	}
	return nil
}

// grantable says whether a request may name the address, whatever its length.
func (s *subnet) grantable(addr netip.Addr) bool {
	return s.check(netip.PrefixFrom(addr, -1)) == nil
}

// next is the address to assign next, wrapping at the subnet's end: none of
// those that are leased.
func (s *subnet) next(leased *leases) (netip.Addr, error) {
	for _, from := range []netip.Addr{s.cursor, s.prefix.Addr()} {
		if addr, ok := s.nextFree(from, leased); ok {
			return addr, nil
		}
	}
	return netip.Addr{}, &ExhaustedError{s.prefix}
}

func (s *subnet) nextFree(from netip.Addr, leased *leases) (netip.Addr, bool) {
	if s.tracks() {
		return s.free.next(from)
	}
	for from.IsValid() { // the address after the family's last is not
		addr, ok := s.assignable.next(from)
		if !ok {
			break
		}
		if _, taken := leased.holder(addr); !taken {
			return addr, true
		}
		from = addr.Next()
	}
	return netip.Addr{}, false
}

// track has all assignable addresses be free, those that are leased included.
func (s *subnet) track() {
	s.free = newSet(byFirst)
	for _, r := range s.assignable {
		s.free.add(r)
	}
}

func (s *subnet) untrack() {
	s.free.clear()
	s.free = set{}
}

func (s *subnet) tracks() bool { return s.free.intervals != nil }

func (s *subnet) take(addr netip.Addr) {
	if s.tracks() {
		s.free.remove(single(addr))
	}
}

func (s *subnet) put(addr netip.Addr) {
	if s.tracks() && s.assignable.contains(addr) {
		s.free.add(single(addr))
	}
}

// passed moves the cursor behind an address that was assigned.
func (s *subnet) passed(addr netip.Addr) {
	s.cursor = addr.Next()
	if !s.prefix.Contains(s.cursor) {
		s.cursor = s.prefix.Addr()
	}
}
