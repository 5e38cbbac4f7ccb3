package ipam

import (
	"fmt"
	"net/netip"
	"strings"
)

// Range is the addresses from First to Last, both included and of one family.
type Range struct{ First, Last netip.Addr }

// ParseRange reads a CIDR (10.101.2.0/24), an address (10.101.2.9) or
// first-last (10.101.2.1-10.101.2.9).
func ParseRange(s string) (Range, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Range{}, fmt.Errorf("parse range %q: %w", s, err)
		}
		return rangeOf(p), nil
	}

	first, last, isPair := strings.Cut(s, "-")
	if !isPair {
		last = first
	}
	r := Range{}
	var err error
	if r.First, err = netip.ParseAddr(strings.TrimSpace(first)); err != nil {
		return Range{}, fmt.Errorf("parse range %q: %w", s, err)
	}
	if r.Last, err = netip.ParseAddr(strings.TrimSpace(last)); err != nil {
		return Range{}, fmt.Errorf("parse range %q: %w", s, err)
	}
	if r.First.BitLen() != r.Last.BitLen() {
		return Range{}, fmt.Errorf("parse range %q: its ends are of different families", s)
	}
	if r.Last.Less(r.First) {
		return Range{}, fmt.Errorf("parse range %q: its end is before its start", s)
	}
	return r, nil
}

// String is the range in the form first-last.
func (r Range) String() string { return fmt.Sprintf("%s-%s", r.First, r.Last) }

func single(a netip.Addr) Range { return Range{First: a, Last: a} }

// rangeOf is all addresses of the prefix.
func rangeOf(p netip.Prefix) Range {
	p = p.Masked()
	last := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(last) // 4 or 16 bytes, as they came
	return Range{First: p.Addr(), Last: addr}
}
