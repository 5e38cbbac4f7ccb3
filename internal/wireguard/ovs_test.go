//go:build integration

package wireguard

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/ovs/ovstest"
)

// Open vSwitch's userspace datapath sends its tunnels through the device, also once the
// process has been another.
func TestOpenVSwitch(t *testing.T) {
	if err := ovstest.Unpack(); err != nil {
		t.Fatal(err)
	}
	central := ovstest.StartCentral(t)
	segment := ovstest.NewSegment(t, "wan", netip.MustParsePrefix("10.215.0.0/24"), mtu)
	chassis := []*ovstest.Chassis{segment.Chassis("a", central), segment.Chassis("b", central)}
	var edges []*edge
	for _, c := range chassis {
		e := &edge{t: t, netns: c.NetNS, out: netip.MustParseAddr(c.Address), key: mustGenerate(t)}
		e.config = Config{Local: e.out, Port: port, MTU: mtu, Bridged: true}
		e.start()
		edges = append(edges, e)
	}
	a, b := edges[0], edges[1]
	a.peer(b)
	b.peer(a)
	g := gomega.NewWithT(t)
	for i, c := range chassis {
		is, other := edges[i], edges[1-i]
		is.must("bring")
		c.Ctl("add-br", Bridge, "--", "set", "bridge", Bridge, "datapath_type=netdev", "fail_mode=standalone", "other-config:hwaddr="+NearMAC.String(),
			"--", "add-port", Bridge, Link)
		g.Eventually(func() string { return is.do("address").Err }, patience, "5ms").Should(gomega.BeEmpty())
		c.Ctl("add-br", "br-edge", "--", "set", "bridge", "br-edge", "datapath_type=netdev", "fail_mode=secure", "--", "add-port", "br-edge", "vx",
			"--", "set", "interface", "vx", "type=vxlan", "options:key=7001", "options:local_ip="+is.inside().String(),
			"options:remote_ip="+other.inside().String(), "bfd:enable=true", "bfd:min_tx=300", "bfd:min_rx=300")
	}
	up := func() int {
		var ends int
		for _, c := range chassis {
			ends += strings.Count(c.Ctl("get", "interface", "vx", "bfd_status"), "state=up") // its own, and what it hears
		}
		return ends
	}
	g.Eventually(up, patience, "20ms").Should(gomega.Equal(4), "ends that BFD has up through VXLAN")
	text := bytes.Repeat([]byte("0123456789"), 100_000)
	if got, _ := transfer(a, b, text); !bytes.Equal(got, text) {
		t.Errorf("%d of %d bytes arrive by TCP", len(got), len(text))
	}
	b.end()
	g.Eventually(up, patience, "20ms").Should(gomega.Equal(0), "ends that BFD has up through VXLAN")
	b.start()
	b.must("bring")
	b.must("address")
	g.Eventually(up, patience, "20ms").Should(gomega.Equal(4), "ends that BFD has up through VXLAN")
}
