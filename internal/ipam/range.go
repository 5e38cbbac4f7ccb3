package ipam

import (
	"fmt"
	"net/netip"
	"strings"

	"l2sm.io/l2sm/internal/excerpt"
)

// Range is the addresses from First to Last, both included and of one family.
type Range struct{ First, Last netip.Addr }

// ParseRange reads a CIDR (10.101.2.0/24), an address (10.101.2.9) or
// first-last (10.101.2.1-10.101.2.9).
func ParseRange(s string) (Range, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return Range{}, rangeError(s, "want a CIDR, such as 10.101.2.0/24")
		}
		return rangeOf(p), nil
	}

	first, last, isPair := strings.Cut(s, "-")
	if !isPair {
		last = first
	}
	r := Range{}
	var ok bool
	if r.First, ok = parseEnd(first); !ok {
		return Range{}, rangeError(s, "want a CIDR, an address, or first-last, such as 10.101.2.1-10.101.2.9")
	}
	if r.Last, ok = parseEnd(last); !ok {
		return Range{}, rangeError(s, "what follows the dash is no address")
	}
	if r.First.BitLen() != r.Last.BitLen() {
		return Range{}, rangeError(s, "its ends are of different families")
	}
	if r.Last.Less(r.First) {
		return Range{}, rangeError(s, "its end is before its start")
	}
	return r, nil
}

// parseEnd reads an end of a range. A zone means something on one host only,
// and an IPv4-mapped address lies in no subnet.
func parseEnd(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	return a, err == nil && a.Zone() == "" && !a.Is4In6()
}

func rangeError(s, why string) error {
	return fmt.Errorf("parse range %s: %s", excerpt.Quote(s), why)
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
