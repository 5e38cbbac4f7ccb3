package ipam

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var byAddr = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func TestParseRange(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   string // empty: an error
	}{
		"CIDR":          {"a CIDR is all of its addresses", "10.0.0.0/30", "10.0.0.0-10.0.0.3"},
		"CIDRInside":    {"bits behind the prefix do not matter to a range", "10.0.0.2/30", "10.0.0.0-10.0.0.3"},
		"CIDR6":         {"IPv6 works the same", "fd00::/126", "fd00::-fd00::3"},
		"Everything":    {"the whole family fits", "0.0.0.0/0", "0.0.0.0-255.255.255.255"},
		"Single":        {"one address is a range of itself", "10.0.0.7", "10.0.0.7-10.0.0.7"},
		"Pair":          {"both ends are included", "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"},
		"PairSpaced":    {"people put spaces around a dash", "10.0.0.1 - 10.0.0.9", "10.0.0.1-10.0.0.9"},
		"Backwards":     {"an empty range is a mistake", "10.0.0.9-10.0.0.1", ""},
		"MixedFamilies": {"no range spans families", "10.0.0.1-fd00::1", ""},
		"Rubbish":       {"what is no address is refused", "ten", ""},
		"HalfPair":      {"an end may not be missing", "10.0.0.1-", ""},
		"BadLength":     {"a prefix length must fit the family", "10.0.0.0/33", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRange(tc.text)
			if tc.want == "" {
				if err == nil {
					t.Errorf("%s: ParseRange(%q) = %s, want an error", tc.reason, tc.text, got)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got.String()); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParseConfig(t *testing.T) {
	cases := map[string]struct {
		reason                    string
		subnets, ranges, excluded []string
		bad                       bool
	}{
		"DualStack":      {"one subnet of each family is what a network may have", []string{"10.0.0.0/24", "fd00::/64"}, []string{"10.0.0.128/25"}, []string{"fd00::1"}, false},
		"None":           {"no subnet is a pure layer 2 network", nil, nil, nil, false},
		"TwoOfOneFamily": {"an interface has one address of a family", []string{"10.0.0.0/24", "10.0.1.0/24"}, nil, nil, true},
		"HostBits":       {"10.0.0.1/24 may mean an address or a subnet", []string{"10.0.0.1/24"}, nil, nil, true},
		"RangeOutside":   {"a range outside could never be granted", []string{"10.0.0.0/24"}, []string{"10.0.0.200-10.0.1.10"}, nil, true},
		"ExcludedBad":    {"a typing error must not silently exclude nothing", []string{"10.0.0.0/24"}, nil, []string{"10.0.0.x"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig(tc.subnets, tc.ranges, tc.excluded)
			if (err != nil) != tc.bad {
				t.Errorf("%s: got error %v", tc.reason, err)
			}
		})
	}
}
