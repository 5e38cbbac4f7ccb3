package ipam

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzParseConfig: whatever stands in a network's ipam, it is refused in few
// words or works: what is assigned is a host's address inside, and not
// excluded.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range [][4]string{
		{"10.0.0.0/24", "fd00::/64", "10.0.0.128/25", "10.0.0.1-10.0.0.9"},
		{"10.0.0.0/31", "fd00::/127", "", ""},
		{"0.0.0.0/0", "::/0", "0.0.0.0/0", "::"},
		{"223.255.255.0/24", "fec0::/10", "223.255.255.255", "223.255.255.0/24"},
		{"10.0.0.0/30", "", "10.0.0.0/30,10.0.0.1", "10.0.0.2-10.0.0.3,10.0.0.0"},
		{"::ffff:10.0.0.0/120", "fe80::%eth0/64", "-", "/"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, first, second, ranges, excluded string) {
		c, err := ParseConfig(words(first+","+second), words(ranges), words(excluded))
		if err != nil {
			if len(err.Error()) > 1024 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		p := NewPool()
		if err := p.Configure(c); err != nil {
			t.Fatalf("an unused pool takes any config: %v", err)
		}
		for i := range 4 {
			lease, err := p.Allocate(fmt.Sprint(i), Request{})
			if err != nil {
				return // exhausted
			}
			for _, a := range lease.Addresses {
				if err := CheckHost(a); err != nil {
					t.Errorf("%q: %v", first, err)
				}
				for _, r := range c.Excluded {
					if !a.Addr().Less(r.First) && !r.Last.Less(a.Addr()) {
						t.Errorf("%s is excluded by %s", a, r)
					}
				}
			}
		}
	})
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' })
}
