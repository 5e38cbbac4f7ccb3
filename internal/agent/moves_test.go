//go:build integration

package agent_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
)

// move does the controller's part of a move: the user has changed the spec.
func (w *world) move(a *v1alpha1.L2Attachment, to string) {
	w.t.Helper()
	from := a.Spec.Network.Name
	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = to })
	w.movePort(a, from, to)
	w.accept(a)
}

// readyToMove is an attachment of the running pod ping that is Ready on network
// a, beside a network b of that MTU.
func readyToMove(t *testing.T, mtu ...int32) (*world, *sandbox, *v1alpha1.L2Attachment) {
	t.Helper()
	w := start(t)
	w.network("a")
	w.network("b", mtu...)
	ping := w.running("ping")
	a := w.attach(ping.pod, "a", "net1", 1)
	w.becomes(a, "True Ready", "it is attached")
	return w, ping, a
}

func (w *world) movePort(a *v1alpha1.L2Attachment, from, to string) {
	w.t.Helper()
	w.NB("--may-exist", "ls-add", "l2sm/"+w.namespace+"/"+to)
	w.Move("l2sm/"+w.namespace+"/"+a.Name, "l2sm/"+w.namespace+"/"+from, "l2sm/"+w.namespace+"/"+to)
}

// knows has the sandbox know a neighbour by a wrong MAC address, as after a
// move to where another pod has its address.
func (s *sandbox) knows(iface, neighbour string) {
	s.t.Helper()
	nstest.Do(s.t, s.netns, func() error {
		is, err := netlink.LinkByName(iface)
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{
			LinkIndex: is.Attrs().Index, State: netlink.NUD_REACHABLE,
			IP: net.ParseIP(neighbour), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
		})
	})
}

// neighbours of an interface that the sandbox knows.
func (s *sandbox) neighbours(iface string) func() ([]string, error) {
	return func() (known []string, err error) {
		nstest.Do(s.t, s.netns, func() error {
			is, err := netlink.LinkByName(iface)
			if err != nil {
				return err
			}
			for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
				all, err := netlink.NeighList(is.Attrs().Index, family)
				if err != nil {
					return err
				}
				for _, n := range all {
					if n.State == netlink.NUD_REACHABLE && n.HardwareAddr.String() == "02:00:00:00:00:09" {
						known = append(known, n.IP.String())
					}
				}
			}
			return nil
		})
		return known, nil
	}
}

// hears returns the Ethernet types of frames from a MAC address that arrive on
// the interface from now on.
func (s *sandbox) hears(iface, mac string) <-chan uint16 {
	s.t.Helper()
	heard := make(chan uint16, 100)
	nstest.Do(s.t, s.netns, func() error {
		ifi, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		if err != nil {
			return err
		}
		s.t.Cleanup(func() { _ = conn.Close() })
		go func() {
			frame := make([]byte, 2000)
			for {
				n, _, err := conn.ReadFrom(frame)
				if err != nil {
					return
				}
				if n >= 14 && net.HardwareAddr(frame[6:12]).String() == mac {
					heard <- uint16(frame[12])<<8 | uint16(frame[13])
				}
			}
		}()
		return nil
	})
	return heard
}

func (s *sandbox) mtu(iface string) func() (int, error) {
	return func() (int, error) {
		is, err := link.Inspect(s.netns, iface)
		return is.MTU, err
	}
}

func TestMove(t *testing.T) {
	w := start(t)
	w.network("a")
	w.network("b", 1300)
	ping, pong := w.running("ping"), w.running("pong")
	moved := w.attach(ping.pod, "a", "net1", 1)
	there := w.attach(pong.pod, "b", "net1", 2)
	w.becomes(moved, "True Ready", "it is attached")
	w.becomes(there, "True Ready", "a pod is on the other network")
	index := ping.index("net1")
	ping.knows("net1", "10.0.0.2")
	ping.knows("net1", "fd10::2")
	heard := pong.hears("net1", moved.Spec.MACAddress)

	w.move(moved, "b")
	g := NewWithT(t)
	g.Eventually(ping.neighbours("net1"), patience, "1ms").Should(BeEmpty(), "what the pod knew of the old network's neighbours is wrong")
	g.Eventually(ping.mtu("net1"), patience, "5ms").Should(Equal(1300), "the MTU is the new network's")
	w.becomes(moved, "True Ready", "the port is on the new network")
	if host, err := netlink.LinkByName(link.HostName("c-ping", "net1")); err != nil || host.Attrs().MTU != 1300 {
		t.Errorf("the host end is %+v (error %v), want the same MTU", host, err)
	}
	if now := ping.index("net1"); now != index {
		t.Errorf("the interface is another one: its index was %d and is %d", index, now)
	}
	types := map[uint16]bool{}
	g.Eventually(func() map[uint16]bool {
		select {
		case x := <-heard:
			types[x] = true
		case <-time.After(time.Second):
		}
		return types
	}, patience).Should(And(HaveKey(uint16(unix.ETH_P_ARP)), HaveKey(uint16(unix.ETH_P_IPV6))), "neighbours on the new network are told")
	transfer(t, ping, pong, "10.0.0.2")

	w.move(moved, "a")
	w.becomes(moved, "True Ready", "there and back again")
	g.Eventually(ping.mtu("net1"), patience, "5ms").Should(Equal(1442))
}

// Ready is of the network that the controller has moved the port to.
func TestReadyOnlyAfterTheMove(t *testing.T) {
	w, _, a := readyToMove(t)

	// The controller has reported, and the flows are not there.
	resume := w.PauseController()
	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "b" })
	w.movePort(a, "a", "b")
	w.accept(a)
	w.becomes(a, "False Wiring", "the flows are still the old network's")
	resume()
	w.becomes(a, "True Ready", "the flows are the new network's")

	// The flows are there before the controller has reported.
	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "a" })
	before := w.installedAt(a)
	w.movePort(a, "b", "a")
	NewWithT(t).Eventually(func() string { return w.installedAt(a) }, patience, "5ms").ShouldNot(Equal(before))
	w.accept(a)
	// It may be True of the network before, and Wiring for a moment.
	NewWithT(t).Eventually(func() error {
		for range 15 {
			if is := w.ready(a)(); is != "True Ready" {
				return fmt.Errorf("it is %q", is)
			}
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	}, patience, "5ms").Should(Succeed(), "no newer flows will come")
}

// A move of which ovn-controller tells nothing: its flows count as installed
// already. It is asked again, and the interface stays what it is.
func TestMoveThatIsNotTold(t *testing.T) {
	w, ping, a := readyToMove(t, 1300)
	host := link.HostName("c-ping", "net1")
	same := func() string { return fmt.Sprint(ping.index("net1"), " ", w.Ctl("get", "interface", host, "ofport")) }
	before := same()

	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "b" })
	w.accept(a) // the controller has reported, and the node shows nothing of it

	w.becomes(a, "False Wiring", "the flows are the old network's, as far as is known")
	w.becomes(a, "True Ready", "ovn-controller was asked again")
	g := NewWithT(t)
	g.Eventually(ping.mtu("net1"), patience, "5ms").Should(Equal(1300))
	g.Expect(same()).To(Equal(before), "device and OpenFlow port")
}

// installedAt is what ovn-controller wrote last.
func (w *world) installedAt(a *v1alpha1.L2Attachment) string {
	w.t.Helper()
	return w.Ctl("get", "interface", link.HostName("c-"+a.Spec.PodName, a.Spec.Interface), "external_ids:ovn-installed-ts")
}

func TestRefusedMove(t *testing.T) {
	w := start(t)
	w.network("a")
	w.network("b", 1300)
	ping, pong := w.running("ping"), w.running("pong")
	a := w.attach(ping.pod, "a", "net1", 1)
	b := w.attach(pong.pod, "a", "net1", 2)
	w.becomes(a, "True Ready", "it is attached")
	w.becomes(b, "True Ready", "another pod, too")
	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "b" })
	on, _ := b.PortNetwork()
	w.refuse(a, v1alpha1.MoveRefused(v1alpha1.AttachmentRefused(v1alpha1.ReasonAddressTaken, "10.0.0.1 is taken"), on), "a")
	g := NewWithT(t)
	g.Consistently(w.ready(a), "300ms", "20ms").Should(Equal("True Ready"), "the port stays, and works")
	transfer(t, ping, pong, "10.0.0.2")
	if is, err := link.Inspect(ping.netns, "net1"); err != nil || is.MTU != 1442 {
		t.Errorf("the interface is %+v (error %v), want the MTU of the network that it is on", is, err)
	}
}

// A network's MTU may change while pods are on it.
func TestMTUChanges(t *testing.T) {
	w := start(t)
	w.network("a")
	ping := w.running("ping")
	a := w.attach(ping.pod, "a", "net1", 1)
	w.becomes(a, "True Ready", "it is attached")
	for _, mtu := range []int32{1300, 1400} {
		w.network("a", mtu)
		w.accept(a)
		NewWithT(t).Eventually(func() (int, error) {
			is, err := link.Inspect(ping.netns, "net1")
			host, lost := netlink.LinkByName(link.HostName("c-ping", "net1"))
			if err := errors.Join(err, lost); err != nil {
				return 0, err
			}
			return min(is.MTU, host.Attrs().MTU), nil
		}, patience, "5ms").Should(Equal(int(mtu)), "both ends follow")
	}
}

// A network may allow routers, and an attachment become one, while pods are on
// it.
func TestRoleChanges(t *testing.T) {
	w := start(t)
	w.network("a")
	ping := w.running("ping")
	a := w.attach(ping.pod, "a", "net1", 1)
	w.becomes(a, "True Ready", "it is attached")
	sends := func() (sends error) {
		nstest.Do(t, ping.netns, func() error {
			ifi, err := net.InterfaceByName("net1")
			if err != nil {
				return err
			}
			c, err := net.ListenPacket("ip6:ipv6-icmp", "::")
			if err != nil {
				return err
			}
			// By number: package net keeps the names that it read, in whatever namespace,
			// for a minute. What is dropped on the way out is no success.
			zone := strconv.Itoa(ifi.Index)
			_, sends = c.WriteTo(append([]byte{134}, make([]byte, 15)...), &net.IPAddr{IP: net.ParseIP("ff02::1"), Zone: zone})
			return c.Close()
		})
		return sends
	}
	accepts := func() (value string) {
		nstest.Do(t, ping.netns, func() error {
			text, err := os.ReadFile("/proc/sys/net/ipv6/conf/net1/accept_ra")
			value = strings.TrimSpace(string(text))
			return err
		})
		return value
	}
	for _, routed := range []bool{true, false, true} {
		w.routed = routed
		w.accept(a)
		NewWithT(t).Eventually(func() error {
			if sent, value := sends(), accepts(); (sent == nil) != routed || value != link.AcceptRA(routed) {
				return fmt.Errorf("routed: %t, sending says %w, accept_ra is %q", routed, sent, value)
			}
			return nil
		}, patience, "5ms").Should(Succeed())
	}
}

// The first flows may be the new network's already, before the cache shows a
// move. No newer ones will come.
func TestFirstFlowsAreOfAMove(t *testing.T) {
	w := start(t)
	w.network("a")
	w.network("b")
	ping := w.running("ping")
	resume := w.PauseController()
	a := w.attach(ping.pod, "a", "net1", 1)
	NewWithT(t).Eventually(w.Ports, patience, "5ms").Should(HaveLen(1), "it is plugged in")
	catchUp := w.cachesLag()
	w.move(a, "b")
	w.NB("--wait=sb", "sync") // or the first flows might be the old network's
	resume()
	w.settled(a)
	port := link.HostName("c-ping", "net1")
	NewWithT(t).Expect(w.Ctl("get", "interface", port, "external_ids:l2sm.io/network")).To(ContainSubstring(w.namespace + "/b"))
	catchUp()
	w.becomes(a, "True Ready", "the flows are the new network's")
}

// An agent that was away during a move makes up for it.
func TestMoveWithoutAnAgent(t *testing.T) {
	w, ping, a := readyToMove(t, 1300)
	w.settled(a)
	w.stopAgent()
	ping.knows("net1", netip.MustParseAddr("10.0.0.2").String())
	w.move(a, "b")
	w.startAgent()
	g := NewWithT(t)
	g.Eventually(ping.neighbours("net1"), patience, "5ms").Should(BeEmpty(), "the neighbours are others")
	g.Eventually(ping.mtu("net1"), patience, "5ms").Should(Equal(1300))
	w.becomes(a, "True Ready", "it is where it should be")
}

// settled waits until the agent has noted the flows.
func (w *world) settled(a *v1alpha1.L2Attachment) {
	w.t.Helper()
	NewWithT(w.t).Eventually(func() string {
		return w.Ctl("get", "interface", link.HostName("c-"+a.Spec.PodName, a.Spec.Interface), "external_ids")
	}, patience, "5ms").Should(ContainSubstring("l2sm.io/installed-ts"))
}

// A running pod can't send through an interface before its flows are there:
// what it sent would go on being dropped for a while.
func TestHotInterfaceSpeaksWithItsFlows(t *testing.T) {
	w := start(t)
	w.network("a")
	ping := w.running("ping")
	resume := w.PauseController()
	a := w.attach(ping.pod, "a", "net1", 1)
	addresses := func() (string, error) {
		is, err := link.Inspect(ping.netns, "net1")
		return fmt.Sprint(is.Addresses), err
	}
	g := NewWithT(t)
	g.Eventually(addresses, patience, "5ms").Should(Equal("[]"))
	g.Consistently(addresses, "300ms", "20ms").Should(Equal("[]"))
	resume()
	w.becomes(a, "True Ready", "its flows are there")
	g.Expect(addresses()).To(Equal(fmt.Sprint(a.Spec.Addresses)), "it has its addresses before it is Ready")
}

// A network may assign addresses to what moves there without.
func TestMoveBringsAddresses(t *testing.T) {
	w, ping, a := readyToMove(t)
	w.settled(a)
	nstest.Do(t, ping.netns, func() error {
		is, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		return netlink.AddrDel(is, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 0, 0, 1), Mask: net.CIDRMask(24, 32)}})
	})
	w.move(a, "b")
	NewWithT(t).Eventually(func() (string, error) {
		is, err := link.Inspect(ping.netns, "net1")
		return fmt.Sprint(is.Addresses), err
	}, patience, "5ms").Should(ContainSubstring("10.0.0.1/24"))
}
