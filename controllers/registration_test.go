package controllers

import (
	"net/netip"
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// What an agent writes is believed as far as it can be a tunnel's address.
func TestTunnelAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		claims []string
		want   string
	}{
		"None":         {},
		"IPv4":         {[]string{"192.0.2.1"}, "192.0.2.1"},
		"IPv6":         {[]string{"fd00::1"}, "fd00::1"},
		"NotShort":     {[]string{"fd00:0:0::0001"}, "fd00::1"},
		"OnlyTheFirst": {[]string{"none", "192.0.2.1"}, ""},
		"Text":         {[]string{"192.0.2.1; drop"}, ""},
		"Prefix":       {[]string{"192.0.2.1/24"}, ""},
		"Zone":         {[]string{"fe80::1%eth0"}, ""},
		"LinkLocal":    {[]string{"fe80::1"}, ""},
		"Mapped":       {[]string{"::ffff:192.0.2.1"}, ""},
		"Loopback":     {[]string{"127.0.0.1"}, ""},
		"Multicast":    {[]string{"224.0.0.1"}, ""},
		"Broadcast":    {[]string{"255.255.255.255"}, ""},
		"Unspecified":  {[]string{"0.0.0.0"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			node := &v1alpha1.L2Node{Status: v1alpha1.L2NodeStatus{TunnelAddresses: tc.claims}}
			got, is := tunnelAddress(node)
			if is != (tc.want != "") || is && got != netip.MustParseAddr(tc.want) {
				t.Errorf("got %s, %t", got, is)
			}
		})
	}
}
