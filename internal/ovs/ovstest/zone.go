package ovstest

import (
	"net/netip"
	"os"
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

// underlayMTU leaves pods 1542 bytes.
const underlayMTU = 1600

// Underlay is the Ethernet segment that zones' tunnels cross.
type Underlay struct{ *Segment }

// NewUnderlay makes a segment that ends with the test.
func NewUnderlay(t testing.TB) *Underlay {
	t.Helper()
	return &Underlay{NewSegment(t, "underlay", netip.MustParsePrefix("10.213.0.0/24"), underlayMTU)}
}

// Zone is one node with an OVN of its own, northbound and southbound databases
// included, in a network namespace. Its programs are those of the product's image: see
// Unpack.
type Zone struct {
	*OVN
	// Name is that of its chassis, Address its tunnels'.
	Name, Address string
	// NetNS is the path of its network namespace.
	NetNS string
}

// Zone starts a zone on the segment. It ends with the test.
func (u *Underlay) Zone(name string) *Zone {
	u.t.Helper()
	z := &Zone{Name: name, NetNS: nstest.NewNS(u.t)}
	member := u.Join(z.NetNS, "eth1")
	z.Address = member.Addr.String()
	at := place{netns: z.NetNS, root: zoneRoot}
	z.OVN = &OVN{OVS: startEmpty(u.t, at), settings: append(settingsOf(name, z.Address), "external_ids:ovn-is-interconn=true")}
	member.Tunnels(z.OVS, "br-tun")
	z.start()
	return z
}

// unpacked says whether Unpack has made the image's files ready.
func unpacked(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(zoneRoot); err != nil {
		t.Fatalf("%v; the test's TestMain must have ovstest.Unpack among its preparations", err)
	}
}
