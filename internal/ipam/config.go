package ipam

import (
	"fmt"
	"net/netip"
	"slices"

	"l2sm.io/l2sm/internal/excerpt"
)

// Config says which addresses a network has.
type Config struct {
	// Subnets of the network: at most one of each family. Without any the
	// network is pure layer 2 and grants what is asked for.
	Subnets []netip.Prefix
	// Ranges that addresses are assigned from. A subnet that none lies in is
	// assigned from as a whole. They do not bound what a request may name.
	Ranges []Range
	// Excluded addresses are neither assigned nor granted on request.
	Excluded []Range
}

// ParseConfig reads a network's ipam. Its errors are for the person who wrote
// it.
func ParseConfig(subnets, ranges, excluded []string) (Config, error) {
	c := Config{}
	for _, text := range subnets {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return Config{}, fmt.Errorf("parse subnet %s: want CIDR notation, such as 10.101.0.0/16 or fd10:101::/64", excerpt.Quote(text))
		}
		if p != p.Masked() {
			return Config{}, fmt.Errorf("subnet %s has bits set behind its prefix: write %s", p, p.Masked())
		}
		if i := slices.IndexFunc(c.Subnets, func(o netip.Prefix) bool { return sameFamily(o.Addr(), p.Addr()) }); i >= 0 {
			return Config{}, fmt.Errorf("subnets %s and %s are of one family", c.Subnets[i], p)
		}
		if err := checkSubnet(p); err != nil {
			return Config{}, err
		}
		c.Subnets = append(c.Subnets, p)
	}
	var err error
	if c.Ranges, err = parseRanges(ranges, c.Subnets); err != nil {
		return Config{}, err
	}
	for i, text := range ranges {
		c.Ranges[i] = withoutEnds(text, c.Ranges[i])
	}
	if c.Excluded, err = parseRanges(excluded, c.Subnets); err != nil {
		return Config{}, err
	}
	return c, nil
}

func parseRanges(texts []string, subnets []netip.Prefix) ([]Range, error) {
	ranges := make([]Range, 0, len(texts))
	for _, text := range texts {
		r, err := ParseRange(text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(subnets, func(p netip.Prefix) bool { return p.Contains(r.First) && p.Contains(r.Last) }) {
			return nil, fmt.Errorf("range %s lies inside none of the subnets", excerpt.Quote(text))
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// withoutEnds is a range to assign from less the ends that the range itself,
// where it is written in CIDR notation, has reserved: people and their tools
// take 10.101.2.0 and 10.101.2.255 for no host's even inside of a /16.
func withoutEnds(text string, r Range) Range {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return r // written as first-last, or as one address
	}
	for _, end := range reserved(prefix) {
		if end.First == r.First {
			r.First = r.First.Next()
		}
		if end.Last == r.Last {
			r.Last = r.Last.Prev()
		}
	}
	return r
}

func sameFamily(a, b netip.Addr) bool { return a.BitLen() == b.BitLen() }
