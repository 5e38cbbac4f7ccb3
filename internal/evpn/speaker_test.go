package evpn

import (
	"fmt"
	"net/netip"
	"testing"
)

// A router id is an IPv4 address that a unicast one may be, as some implementations check,
// the same after each start, and another for each edge.
func TestRouterID(t *testing.T) {
	seen := map[netip.Addr]netip.Addr{}
	for i := range 5_000 {
		address := netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))
		id := RouterID(address)
		if first := id.As4()[0]; first == 0 || first > 127 {
			t.Fatalf("the router id of %s is %s", address, id)
		}
		if other, is := seen[id]; is {
			t.Errorf("%s and %s have router id %s", address, other, id)
		}
		seen[id] = address
		if RouterID(address) != id {
			t.Errorf("%s has two router ids", address)
		}
	}
}
