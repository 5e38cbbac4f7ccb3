//go:build integration

package link

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/link/nstest"
)

// icmp6Frame is a frame of the pod, behind these tags, with an ICMPv6 message
// of that type.
func icmp6Frame(kind byte, tags ...[]byte) []byte {
	frame := append([]byte{0x33, 0x33, 0, 0, 0, 1}, want.MAC...)
	for _, tag := range tags {
		frame = append(frame, tag...)
	}
	message := append([]byte{kind}, make([]byte, 31)...)
	ip := append([]byte{0x60, 0, 0, 0, 0, byte(len(message)), 58, 255}, make([]byte, 32)...)
	return append(append(append(frame, 0x86, 0xdd), ip...), message...)
}

// What a pod sends on a kernel datapath is dropped before a bridge takes it, as
// OVS is one, and only that.
func TestRouterAdvertisementsAreDropped(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	defer remove(t, l)
	heard := bridged(t)
	priority, vlan := []byte{0x81, 0, 0, 0}, []byte{0x88, 0xa8, 0, 9}
	const solicitation = 135
	cases := map[string]struct {
		frame []byte
		drops bool
	}{
		"Plain":        {icmp6Frame(routerAdvertisement), true},
		"Priority":     {icmp6Frame(routerAdvertisement, priority), true},
		"Twice":        {icmp6Frame(routerAdvertisement, priority, priority), true},
		"QinQ":         {icmp6Frame(routerAdvertisement, vlan, priority), true},
		"Solicitation": {icmp6Frame(solicitation), false},
		"Tagged":       {icmp6Frame(solicitation, priority), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := heard(netns, tc.frame); got == tc.drops {
				t.Errorf("it passes: %t", got)
			}
		})
	}
	if err := l.SetRoutes(host.Name, netns, "net1", Kernel, true); err != nil {
		t.Fatal(err)
	}
	if !heard(netns, cases["Plain"].frame) {
		t.Error("a router's are dropped")
	}
	if err := l.SetRoutes(host.Name, netns, "net1", Kernel, false); err != nil {
		t.Fatal(err)
	}
	if heard(netns, cases["Plain"].frame) {
		t.Error("they pass though the pod is no router any more")
	}
}

// bridged puts the host end on a bridge, and returns what says whether a frame
// that the pod sends comes out of it: before another that always does.
func bridged(t *testing.T) func(netns string, frame []byte) bool {
	t.Helper()
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "testbr", TxQLen: -1}}
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: "testport", TxQLen: -1})
	pair.PeerName = "testear"
	for _, made := range []netlink.Link{bridge, pair} {
		if err := netlink.LinkAdd(made); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = netlink.LinkDel(made) })
	}
	for _, name := range []string{host.Name, "testport", "testear", "testbr"} {
		link, err := netlink.LinkByName(name)
		if err == nil && (name == host.Name || name == "testport") {
			err = netlink.LinkSetMaster(link, bridge)
		}
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ear := listenOn(t, "testear")
	mark := append(append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, want.MAC...), append([]byte{0x88, 0xb5}, make([]byte, 46)...)...)
	return func(netns string, frame []byte) (passed bool) {
		send := func() error {
			pod := listenOn(t, "net1")
			_, _ = pod.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
			_, err := pod.WriteTo(mark, &packet.Addr{HardwareAddr: mark[:6]})
			return err
		}
		gomega.NewWithT(t).Eventually(func() (marked bool) { // a bridge forwards some time after it was made
			nstest.Do(t, netns, send)
			seen, marked := readUntil(ear, frame, mark)
			passed = passed || seen
			return marked
		}, "20s", "1ms").Should(gomega.BeTrue(), "the mark arrives")
		return passed
	}
}

// readUntil reads until the mark or a while without any frame, and says which of
// both were there.
func readUntil(ear *packet.Conn, frame, mark []byte) (seen, marked bool) {
	buffer := make([]byte, 2000)
	for {
		_ = ear.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _, err := ear.ReadFrom(buffer)
		if err != nil {
			return seen, false
		}
		got := buffer[:n]
		if bytes.Equal(got, mark) {
			return seen, true
		}
		// The outer tag is not in the frame any more.
		seen = seen || len(got) >= 50 && bytes.HasSuffix(frame, got[len(got)-50:]) && bytes.Equal(got[6:12], want.MAC)
	}
}

func listenOn(t *testing.T, name string) *packet.Conn {
	t.Helper()
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := packet.Listen(ifi, packet.Raw, 3, nil) // ETH_P_ALL
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
