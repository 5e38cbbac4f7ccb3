//go:build integration

package zone_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link/nstest"
)

func open(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityDisabled }

var (
	everyone = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	nobody   = net.HardwareAddr{2, 8, 0, 0, 0, 1}
)

// flood has the pod send from as many MAC addresses, which the series tells from
// others. OVN does not learn all at once: who waits for that floods again.
func (e *endpoint) flood(to net.HardwareAddr, series byte, many int) {
	t := e.node.world.t
	t.Helper()
	nstest.Do(t, e.netns, func() error {
		inner, err := net.InterfaceByName("net1")
		if err != nil {
			return err
		}
		s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(s) }()
		if err := unix.Bind(s, &unix.SockaddrLinklayer{Ifindex: inner.Index}); err != nil {
			return err
		}
		frame := append(append(slices.Clone(to), 2, 9, series, 0, 0, 1, 0x88, 0xb5), make([]byte, 46)...)
		for i := range many {
			frame[9], frame[10] = byte(i>>8), byte(i)
			if _, err := unix.Write(s, frame); err != nil && !errors.Is(err, unix.ENOBUFS) { // dropped at once
				return err
			}
		}
		return nil
	})
}

// received is how many frames have come to the pod.
func (e *endpoint) received() (frames uint64) {
	t := e.node.world.t
	t.Helper()
	nstest.Do(t, e.netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err == nil {
			frames = inner.Attrs().Statistics.RxPackets
		}
		return err
	})
	return frames
}

// learned is how many MAC addresses of a series the node's OVN has learned.
func (n *node) learned(series string) int {
	return strings.Count(n.SB("--bare", "--columns=mac", "list", "FDB"), "02:09:"+series)
}

func (n *node) addressesOf(e *endpoint) string {
	return n.NB("--bare", "--columns=addresses", "find", "Logical_Switch_Port", fmt.Sprintf("name=%q", e.PortName()))
}
