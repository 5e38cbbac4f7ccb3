package wireguard

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestInside(t *testing.T) {
	cases := map[string]struct{ reason, endpoint, want string }{
		"IPv4":   {"its 32 bits are the last", "192.0.2.17", "fd6c:3273:6d65::c000:211"},
		"Mapped": {"one address has one address, in whatever form", "::ffff:192.0.2.17", "fd6c:3273:6d65::c000:211"},
		// printf '20010db8000000000000000000000001' | xxd -r -p | sha256sum
		"IPv6": {"80 bits of its digest", "2001:db8::1", "fd6c:3273:6d65:1e03:d7e1:ca9d:b508:365"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Inside(netip.MustParseAddr(tc.endpoint)); got != netip.MustParseAddr(tc.want) {
				t.Errorf("Inside(%s) = %s, want %s: %s", tc.endpoint, got, tc.want, tc.reason)
			}
		})
	}
}

// Two endpoints never have one address, and every address is within tunnels.
func TestInsideTellsEndpointsApart(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		length := rapid.SampledFrom([]int{4, 16}).Draw(t, "length")
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), length, length).Draw(t, "bytes"))
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := addr.Draw(t, "a"), addr.Draw(t, "b")
		if !Within.Contains(Inside(a)) {
			t.Fatalf("Inside(%s) = %s", a, Inside(a))
		}
		if (a.Unmap() == b.Unmap()) != (Inside(a) == Inside(b)) {
			t.Fatalf("Inside(%s) = %s, Inside(%s) = %s", a, Inside(a), b, Inside(b))
		}
	})
}
