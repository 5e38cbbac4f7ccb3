package ipam

import (
	"fmt"
	"net/netip"
)

// subnet is one subnet's free addresses.
type subnet struct {
	prefix netip.Prefix
	// grantable are the addresses that a request may name, assignable those
	// that are chosen from, free those of them without an owner.
	grantable, assignable, free set
	// cursor is where the next search starts: behind the last address that was
	// assigned, so that a released address rests while others are free.
	cursor netip.Addr
}

func newSubnet(prefix netip.Prefix, c Config) *subnet {
	s := &subnet{prefix: prefix, grantable: newSet(), assignable: newSet(), free: newSet(), cursor: prefix.Addr()}
	s.grantable.add(rangeOf(prefix))

	ranges := c.within(prefix)
	for _, r := range ranges {
		s.assignable.add(r)
		s.free.add(r)
	}
	for _, r := range append(reserved(prefix), c.Excluded...) {
		if sameFamily(r.First, prefix.Addr()) {
			s.grantable.remove(r)
			s.assignable.remove(r)
			s.free.remove(r)
		}
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
	if !s.grantable.contains(addr) {
		return &OutOfRangeError{addr, "is among the network's excluded addresses"}
	}
	return nil
}

// next is the address to assign next, wrapping at the subnet's end.
func (s *subnet) next() (netip.Addr, error) {
	if addr, ok := s.free.next(s.cursor); ok {
		return addr, nil
	}
	if addr, ok := s.free.next(s.prefix.Addr()); ok {
		return addr, nil
	}
	return netip.Addr{}, &ExhaustedError{s.prefix}
}

func (s *subnet) take(addr netip.Addr) { s.free.remove(single(addr)) }

func (s *subnet) put(addr netip.Addr) {
	if s.assignable.contains(addr) {
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
