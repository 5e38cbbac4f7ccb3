//go:build integration

package link

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

// neighbours of net1 and of lo, by the state that each is in.
func neighbours(t *testing.T, netns string) (all []string) {
	t.Helper()
	nstest.Do(t, netns, func() error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			known, err := netlink.NeighList(0, family)
			if err != nil {
				return err
			}
			for _, n := range known {
				if n.State&netlink.NUD_NOARP == 0 {
					all = append(all, n.IP.String())
				}
			}
		}
		return nil
	})
	slices.Sort(all)
	return all
}

func TestRenew(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	nstest.Do(t, netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		// What a pod without ipam does for itself.
		own := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 7), Mask: net.CIDRMask(24, 32)}}
		errs := []error{netlink.AddrAdd(inner, own)}
		for ip, state := range map[string]int{
			"10.101.2.11": netlink.NUD_REACHABLE, "10.101.2.12": netlink.NUD_STALE, "fd10:101::11": netlink.NUD_REACHABLE,
			"10.101.2.13": netlink.NUD_PERMANENT, "fd10:101::13": netlink.NUD_PERMANENT,
		} {
			errs = append(errs, netlink.NeighSet(&netlink.Neigh{
				LinkIndex: inner.Attrs().Index, State: state, IP: net.ParseIP(ip), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
			}))
		}
		return errors.Join(errs...)
	})
	ifi, err := net.InterfaceByName(host.Name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if err := Renew(netns, "net1"); err != nil {
		t.Fatalf("Renew: %v", err)
	}
	if got, want := neighbours(t, netns), []string{"10.101.2.13", "fd10:101::13"}; !slices.Equal(got, want) {
		t.Errorf("neighbours after Renew: %v, want those that a user wrote by hand: %v", got, want)
	}
	announced := map[string]bool{}
	frame := make([]byte, 100)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	for len(announced) < 2 {
		n, _, err := conn.ReadFrom(frame)
		if err != nil {
			t.Fatalf("announced %v; %v", announced, err)
		}
		announced[net.IP(frame[28:min(32, n)]).String()] = true
	}
	if !announced["10.101.2.10"] || !announced["192.0.2.7"] {
		t.Errorf("announced %v, want the addresses of the interface, those of the pod's own too", announced)
	}
	for _, missing := range []error{Renew(netns, "net9"), Renew("/run/netns/none", "net1")} {
		if !errors.Is(missing, os.ErrNotExist) {
			t.Errorf("Renew of what is not there = %v, want os.ErrNotExist", missing)
		}
	}
}

func TestSetMTU(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	for _, mtu := range []int{1300, 1450} {
		if err := l.SetMTU(host.Name, netns, "net1", mtu); err != nil {
			t.Fatalf("SetMTU(%d): %v", mtu, err)
		}
		inner, err := Inspect(netns, "net1")
		outer, lost := net.InterfaceByName(host.Name)
		if err != nil || lost != nil || inner.MTU != mtu || outer.MTU != mtu {
			t.Errorf("after SetMTU(%d) the ends are %+v and %+v (errors %v, %v)", mtu, inner, outer, err, lost)
		}
	}
	if err := l.SetMTU(host.Name, netns, "net9", 1300); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("SetMTU of what is not there = %v, want os.ErrNotExist", err)
	}
	if err := l.SetMTU("l2pnone", netns, "net1", 1300); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("SetMTU without a host end = %v, want os.ErrNotExist", err)
	}
}

func TestMade(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	made := func() bool {
		t.Helper()
		is, err := Made(netns, want)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if made() {
		t.Error("nothing is made yet")
	}
	create(t, l, netns, Kernel)
	if !made() {
		t.Error("Create has made it")
	}
	nstest.Do(t, netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(inner)
	})
	if made() {
		t.Error("an interface that is down is what a Create that was cut short leaves")
	}
}

func TestCreateWhereTheNameIsTaken(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	other := HostEnd{Name: HostName("other", "net1")}
	if err := l.Create(other, netns, want, Kernel); !errors.Is(err, os.ErrExist) {
		t.Errorf("Create of an interface that is there = %v, want os.ErrExist", err)
	}
	if end, err := l.Get(other.Name); err != nil || end != nil {
		t.Errorf("it left host end %+v (error %v)", end, err)
	}
	if end, err := l.Get(host.Name); err != nil || end == nil || *end != host {
		t.Errorf("Get of the first = %+v, %v, want %+v", end, err, host)
	}
}

func TestEachGone(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone, ended := make(chan string, 10), make(chan error, 1)
	go func() { ended <- l.EachGone(ctx, func(name string) { gone <- name }) }()
	g := gomega.NewWithT(t)
	g.Eventually(func() string { // it listens some time after it has started
		create(t, l, netns, Kernel)
		remove(t, l)
		select {
		case name := <-gone:
			return name
		case <-time.After(100 * time.Millisecond):
			return ""
		}
	}, nstest.Patience(10*time.Second)).Should(gomega.Equal(host.Name))
	for len(gone) > 0 {
		<-gone
	}
	create(t, l, netns, Kernel)
	nstest.RemoveNS(t, netns)
	g.Eventually(gone, nstest.Patience(10*time.Second)).Should(gomega.Receive(gomega.Equal(host.Name)), "a network namespace takes it along")
	cancel()
	g.Eventually(ended, nstest.Patience(10*time.Second)).Should(gomega.Receive(gomega.BeNil()))
}
