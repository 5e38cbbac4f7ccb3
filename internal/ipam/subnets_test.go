package ipam

import (
	"strings"
	"testing"
)

// Subnets that can't work, and those beside them that can.
func TestParseConfigSubnets(t *testing.T) {
	cases := map[string]struct {
		reason, subnet string
		says           string // empty: accepted
	}{
		"Private":        {"RFC 1918.", "10.0.0.0/8", ""},
		"Shared":         {"RFC 6598.", "100.64.0.0/10", ""},
		"LinkLocal4":     {"RFC 3927 addresses may be assigned: nothing else uses them on this link.", "169.254.0.0/16", ""},
		"BelowMulticast": {"The last unicast block.", "223.255.255.0/24", ""},
		"AboveLoopback":  {"The first block behind.", "128.0.0.0/8", ""},
		"ULA":            {"RFC 4193.", "fd00::/8", ""},
		"Global":         {"RFC 4291.", "2000::/3", ""},
		"SiteLocal":      {"RFC 3879 deprecates it; hosts still use it.", "fec0::/10", ""},

		"Everything":     {"It has every other network's addresses, too.", "0.0.0.0/0", "overlaps"},
		"Everything6":    {"The same in IPv6.", "::/0", "overlaps"},
		"Half":           {"Half of everything holds loopback.", "0.0.0.0/1", "overlaps"},
		"UpperHalf":      {"The other half holds multicast.", "128.0.0.0/1", "overlaps"},
		"UpperHalf6":     {"ff00::/8 and fe80::/10 are in it.", "8000::/1", "overlaps"},
		"ThisNetwork":    {"RFC 791.", "0.0.0.0/8", "0.0.0.0/8"},
		"InThisNetwork":  {"A part of it.", "0.1.0.0/16", "0.0.0.0/8"},
		"Loopback":       {"It never leaves a host.", "127.0.0.0/8", "loopback"},
		"InLoopback":     {"A part of it.", "127.5.0.0/16", "loopback"},
		"Multicast":      {"Groups' addresses.", "224.0.0.0/4", "multicast"},
		"InMulticast":    {"A part of it.", "239.1.0.0/16", "multicast"},
		"Reserved":       {"Class E, which routers drop.", "240.0.0.0/4", "reserved"},
		"Broadcast":      {"It holds the limited broadcast.", "255.255.255.0/24", "reserved"},
		"Loopback6":      {"One address of loopback.", "::1/128", "::/8"},
		"Mapped":         {"IPv4 in IPv6's clothes.", "::ffff:10.0.0.0/120", "IPv4-mapped"},
		"LinkLocal6":     {"Every interface has an address there, on every network.", "fe80::/64", "link-local"},
		"LinkLocalWhole": {"And all of it.", "fe80::/10", "link-local"},
		"Multicast6":     {"Groups' addresses.", "ff02::/64", "multicast"},
		"Zone":           {"A zone means something on one host only.", "fe80::%eth0/64", "parse subnet"},
		"Long":           {"A message has a bounded length.", strings.Repeat("x", 1<<18), "parse subnet"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig([]string{tc.subnet}, nil, nil)
			if tc.says == "" && err != nil {
				t.Errorf("%s\n%v", tc.reason, err)
			}
			if tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%s\nwant an error that says %q, got %v", tc.reason, tc.says, err)
			}
			if err != nil && len(err.Error()) > 512 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

// A range with a zone or of mapped addresses lies in no subnet, and the message
// of one that nobody could read is bounded.
func TestParseRangeRefusesOddAddresses(t *testing.T) {
	for _, text := range []string{"fe80::1%eth0", "fe80::1%eth0-fe80::2%eth0", "::ffff:10.0.0.1", "::ffff:10.0.0.0/120", strings.Repeat("x", 1<<18), strings.Repeat("1", 1<<18) + "/8", "10.0.0.1-" + strings.Repeat("-", 1<<18)} {
		r, err := ParseRange(text)
		if err == nil || len(err.Error()) > 512 {
			t.Errorf("ParseRange(%.40q): %v, and an error of %d bytes", text, r, len(errorText(err)))
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
