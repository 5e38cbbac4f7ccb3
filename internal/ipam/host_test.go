package ipam

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestCheckHost(t *testing.T) {
	cases := map[string]struct {
		reason  string
		address string
		says    string // empty: accepted
	}{
		"Usual":          {"A host's address.", "10.101.2.10/16", ""},
		"Usual6":         {"IPv6 is the same.", "fd00::1/64", ""},
		"Single":         {"A subnet of one address is that host's.", "10.0.0.0/32", ""},
		"Single6":        {"The same in IPv6.", "fd00::/128", ""},
		"PointToPoint":   {"Both addresses of a /31 are hosts' (RFC 3021).", "10.0.0.0/31", ""},
		"PointToPoint6":  {"Both addresses of a /127 are hosts' (RFC 6164).", "fd00::/127", ""},
		"NoLength":       {"Without a length there is no host part to look at.", "10.0.0.0", ""},
		"LinkLocal":      {"Pods of a pure layer 2 network may have link-local addresses.", "fe80::1/64", ""},
		"LinkLocal4":     {"RFC 3927.", "169.254.1.1/16", ""},
		"ZeroHost":       {"OVN takes it for the whole subnet in port_security.", "10.0.0.0/8", "zero host part"},
		"ZeroHost6":      {"The same in IPv6.", "fd00::/64", "zero host part"},
		"ZeroHostSmall":  {"A /30 has a network address.", "10.0.0.4/30", "zero host part"},
		"Broadcast":      {"All of the subnet's hosts would answer.", "10.255.255.255/8", "broadcast address"},
		"Unspecified":    {"It is no address.", "0.0.0.0/0", "0.0.0.0/8"},
		"Unspecified6":   {"Nor in IPv6.", "::/0", "::/8"},
		"ThisNetwork":    {"RFC 791: a host that does not know its network.", "0.1.2.3/8", "0.0.0.0/8"},
		"Loopback":       {"It never leaves a host.", "127.0.0.1/8", "loopback"},
		"Loopback6":      {"Nor in IPv6.", "::1/128", "loopback"},
		"Multicast":      {"It is a group's.", "224.0.0.5/4", "multicast"},
		"Multicast6":     {"The same in IPv6.", "ff02::1/64", "multicast"},
		"Reserved":       {"RFC 1112: class E.", "240.0.0.1/4", "240.0.0.0/4"},
		"AllOnes":        {"RFC 919: the limited broadcast.", "255.255.255.255/32", "240.0.0.0/4"},
		"Mapped":         {"IPv4 in IPv6's clothes matches no IPv4 subnet.", "::ffff:10.0.0.1/120", "IPv4-mapped"},
		"MappedLengthV4": {"Whatever its length.", "::ffff:10.0.0.1/24", "IPv4-mapped"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CheckHost(prefix(t, tc.address))
			if tc.says == "" && err != nil {
				t.Errorf("%s\nCheckHost(%s): %v", tc.reason, tc.address, err)
			}
			var request *RequestError
			if tc.says != "" && (!errors.As(err, &request) || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%s\nCheckHost(%s): want a RequestError that says %q, got %v", tc.reason, tc.address, tc.says, err)
			}
		})
	}
}

// prefix reads an address, with its length or with none.
func prefix(t testing.TB, text string) netip.Prefix {
	t.Helper()
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, -1)
	}
	return netip.MustParsePrefix(text)
}

// OVN reads an address with a zero host part and a length as the whole subnet
// (ovn-nb(5), Logical_Switch_Port:port_security).
func TestSecurityPrefix(t *testing.T) {
	cases := map[string]struct{ reason, has, want string }{
		"Usual":          {"The length stays: it admits the subnet's broadcast address.", "10.0.0.5/24", "10.0.0.5/24"},
		"Usual6":         {"As in IPv6, where it makes no difference.", "fd00::5/64", "fd00::5/64"},
		"PointToPoint":   {"The lower end of a /31 is a host, and only itself.", "10.0.0.0/31", "10.0.0.0/32"},
		"UpperEnd":       {"The upper end is not mistaken.", "10.0.0.1/31", "10.0.0.1/31"},
		"PointToPoint6":  {"The same in IPv6.", "fd00::/127", "fd00::/128"},
		"Single":         {"One address is one address.", "10.0.0.0/32", "10.0.0.0/32"},
		"Single6":        {"The same in IPv6.", "fd00::/128", "fd00::/128"},
		"HeldBefore":     {"What an earlier version granted admits itself only.", "10.0.0.0/8", "10.0.0.0/32"},
		"InsideOfSubnet": {"A zero byte is no zero host part.", "10.101.2.0/16", "10.101.2.0/16"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := SecurityPrefix(netip.MustParsePrefix(tc.has)); got.String() != tc.want {
				t.Errorf("%s\nSecurityPrefix(%s) = %s, want %s", tc.reason, tc.has, got, tc.want)
			}
		})
	}
}

func TestParseMAC(t *testing.T) {
	cases := map[string]struct {
		reason, text string
		bad          bool
	}{
		"Usual":     {"A unicast address.", "0a:58:0A:65:02:0a", false},
		"Zero":      {"It stands for none, and no station has it.", "00:00:00:00:00:00", true},
		"Multicast": {"It is a group's.", "01:00:5e:00:00:01", true},
		"Broadcast": {"It is everybody's.", "ff:ff:ff:ff:ff:ff", true},
		"EUI64":     {"Ethernet has six bytes.", "02:00:5e:10:00:00:00:01", true},
		"Rubbish":   {"No address.", strings.Repeat("x", 1<<18), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseMAC(tc.text)
			if (err != nil) != tc.bad {
				t.Errorf("%s\nParseMAC: %s, %v", tc.reason, got, err)
			}
			if err != nil && len(err.Error()) > 512 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestAllocateRefusesWhatNoHostHas(t *testing.T) {
	cases := map[string]struct {
		reason  string
		request Request
	}{
		"Multicast":    {"A group's address.", request(t, "", "224.0.0.5/4")},
		"Everything":   {"port_security would admit every address.", request(t, "", "0.0.0.0/0")},
		"ZeroHost":     {"port_security would admit the whole subnet.", request(t, "", "10.0.0.0/8")},
		"Mapped":       {"It would be compared with no IPv4 address.", request(t, "", "::ffff:10.0.0.1/120")},
		"Loopback":     {"It never leaves a host.", request(t, "", "127.0.0.1/8")},
		"MulticastMAC": {"A group's MAC, which ParseMAC would not have read.", Request{MAC: MAC{1, 0, 0x5e, 0, 0, 1}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := NewPool()
			lease, err := p.Allocate("default/ping", tc.request)
			var bad *RequestError
			if !errors.As(err, &bad) || p.Len() != 0 {
				t.Errorf("%s\nwant a RequestError and nothing held, got %v, %v, %d held", tc.reason, lease, err, p.Len())
			}
			if len(tc.request.Addresses) > 0 && p.Check(tc.request.Addresses[0]) == nil {
				t.Errorf("%s\nCheck accepts it", tc.reason)
			}
		})
	}
}
