//go:build integration

package link

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

// two interfaces of one pod in one subnet, with the host ends of both.
func twoInOneSubnet(t *testing.T, l *Links, netns string) (pair []Interface, hosts []HostEnd) {
	t.Helper()
	pair = []Interface{interfaceOf("net1", "10.101.2.10/16", "fd10:101::10/64"), interfaceOf("net2", "10.101.2.11/16", "fd10:101::11/64")}
	for i := range pair {
		pair[i].MTU, pair[i].MAC = 1400, net.HardwareAddr{0x0a, 0x58, 0, 0, 0, byte(i + 1)}
		end := HostEnd{Name: HostName(container, pair[i].Name), Owner: NewOwner(container, pair[i].Name, "l2sm")}
		if err := l.Create(end, netns, pair[i], Kernel); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Delete(end.Name) })
		hosts = append(hosts, end)
	}
	return pair, hosts
}

// leavesBy says by which of the host ends a datagram from the address comes
// out: to a neighbour that both interfaces know.
func leavesBy(t *testing.T, netns string, hosts []HostEnd, from, to string) string {
	t.Helper()
	came := make(chan string, 10)
	for i, end := range hosts {
		ifi, err := net.InterfaceByName(end.Name)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			frame := make([]byte, 1500)
			for {
				n, _, err := conn.ReadFrom(frame)
				if err != nil {
					return
				}
				if n > 14 && string(frame[n-5:n]) == "hello" {
					came <- []string{"net1", "net2"}[i]
				}
			}
		}()
	}
	nstest.Do(t, netns, func() error {
		for _, name := range []string{"net1", "net2"} {
			inner, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.NeighSet(&netlink.Neigh{
				LinkIndex: inner.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(to), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
			}); err != nil {
				return err
			}
		}
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, &net.UDPAddr{IP: net.ParseIP(to), Port: 9})
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("hello"))
		return err
	})
	select {
	case iface := <-came:
		return iface
	case <-time.After(5 * time.Second):
		return "nowhere"
	}
}

func TestSteer(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	pair, hosts := twoInOneSubnet(t, l, netns)
	if err := Steered(netns, pair); err == nil {
		t.Error("nothing is steered yet")
	}
	for _, again := range []string{"the first time", "again"} {
		if err := Steer(netns, pair); err != nil {
			t.Fatalf("Steer, %s: %v", again, err)
		}
		if err := Steered(netns, pair); err != nil {
			t.Errorf("Steered, %s: %v", again, err)
		}
		if n := len(rulesIn(t, netns)); n != 4 {
			t.Errorf("%d rules are there, %s, want one for each address", n, again)
		}
	}
	got := map[string]string{}
	for from, to := range map[string]string{
		"10.101.2.10": "10.101.9.9", "10.101.2.11": "10.101.9.9", "fd10:101::10": "fd10:101::99", "fd10:101::11": "fd10:101::99",
	} {
		got[from] = leavesBy(t, netns, hosts, from, to)
	}
	want := map[string]string{"10.101.2.10": "net1", "10.101.2.11": "net2", "fd10:101::10": "net1", "fd10:101::11": "net2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("each address leaves by its interface (-want +got):\n%s", diff)
	}

	// An interface goes: the other is alone, and the pod as it was.
	if err := l.Delete(hosts[1].Name); err != nil {
		t.Fatal(err)
	}
	if err := Steer(netns, pair); err != nil {
		t.Fatal(err)
	}
	if rules := rulesIn(t, netns); len(rules) > 0 {
		t.Errorf("rules %v are left", rules)
	}
	if err := Steer("/run/netns/none", pair); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Steer where nothing is = %v, want os.ErrNotExist", err)
	}
}

// What a pod has written itself stays, and comes first; what it forwards and
// what has no address yet goes as the main table says.
func TestSteerLeavesRoutersAlone(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	pair, hosts := twoInOneSubnet(t, l, netns)
	own := netlink.NewRule()
	own.Src, own.Table, own.Priority = &net.IPNet{IP: net.IPv4(10, 101, 2, 11).To4(), Mask: net.CIDRMask(32, 32)}, 100, 1000
	var net1 netlink.Link
	nstest.Do(t, netns, func() (err error) {
		if net1, err = netlink.LinkByName("net1"); err != nil {
			return err
		}
		return errors.Join(
			netlink.RuleAdd(own),
			netlink.RouteAdd(&netlink.Route{LinkIndex: net1.Attrs().Index, Table: 100, Scope: netlink.SCOPE_LINK, Dst: ipNet(pair[0].Addresses[0].Masked())}),
		)
	})
	for range 2 {
		if err := Steer(netns, pair); err != nil {
			t.Fatal(err)
		}
	}
	if by := leavesBy(t, netns, hosts, "10.101.2.11", "10.101.9.9"); by != "net1" {
		t.Errorf("the pod's own rule says net1, and it leaves by %s", by)
	}
	if err := Steer(netns, nil); err != nil {
		t.Fatal(err)
	}
	nstest.Do(t, netns, func() error {
		rules, err := netlink.RuleListFiltered(netlink.FAMILY_V4, own, netlink.RT_FILTER_TABLE)
		if len(rules) != 1 {
			t.Errorf("the pod's own rule is %v, want it to stay", rules)
		}
		return err
	})
}

// rulesIn are the rules of lanes.
func rulesIn(t *testing.T, netns string) (all []netlink.Rule) {
	t.Helper()
	nstest.Do(t, netns, func() error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			rules, err := laneRules(family)
			if err != nil {
				return err
			}
			all = append(all, rules...)
		}
		return nil
	})
	return all
}
