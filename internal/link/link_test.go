//go:build integration

package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/mdlayher/packet"
	"github.com/onsi/gomega"
	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

var (
	owner = Owner{Container: container, IfName: "net1", Config: "l2sm"}
	host  = HostEnd{Name: HostName(container, "net1"), Owner: owner}
	want  = Interface{
		Name:      "net1",
		MAC:       net.HardwareAddr{0x0a, 0x58, 0x0a, 0x65, 0x02, 0x0a},
		MTU:       1400,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.101.2.10/16"), netip.MustParsePrefix("fd10:101::10/64")},
	}
	prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
)

func create(t *testing.T, l *Links, netns string, datapath Datapath) {
	t.Helper()
	if err := l.Create(host, netns, want, datapath); err != nil {
		t.Fatalf("Create: %v", err)
	}
	t.Cleanup(func() { remove(t, l) })
}

func remove(t *testing.T, l *Links) {
	t.Helper()
	if err := l.Delete(host.Name); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

func TestCreate(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)

	got, err := Inspect(netns, "net1")
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	if diff := cmp.Diff(want, got, prefixes); diff != "" {
		t.Errorf("the pod's interface looks as it was asked for (-want +got):\n%s", diff)
	}
	err = inNamespace(netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		if inner.Attrs().Flags&net.FlagUp == 0 {
			t.Error("the pod's interface is down")
		}
		addrs, err := netlink.AddrList(inner, netlink.FAMILY_V6)
		for _, a := range addrs {
			if a.Scope == unix.RT_SCOPE_UNIVERSE && a.Flags&unix.IFA_F_TENTATIVE != 0 {
				t.Errorf("address %s is tentative: the pod would wait for duplicate address detection", a.IPNet)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	ends, err := l.List()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]HostEnd{host}, ends); diff != "" {
		t.Errorf("the host end is listed with its owner (-want +got):\n%s", diff)
	}
}

// A pod's first instruction may use its link-local address.
func TestLinkLocalNeedsNoDetection(t *testing.T) {
	cases := map[string]func(*Links, string){
		"Create": func(l *Links, netns string) { create(t, l, netns, Kernel) },
		"Speak": func(l *Links, netns string) {
			createQuiet(t, l, netns)
			if err := l.Speak(netns, want); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			l, netns := New("/proc/sys"), nstest.NewNS(t)
			make(l, netns)
			defer remove(t, l)
			heard := probes(t)
			gomega.NewWithT(t).Eventually(func() bool { return linkLocal(t, netns) }, nstest.Patience(10*time.Second), "1ms").Should(gomega.BeTrue(), "it has one, and may use it")
			if n := heard(); n > 0 {
				t.Errorf("%d probes for duplicate addresses were sent (RFC 4862 section 5.4.2)", n)
			}
			if dad, err := os.ReadFile("/proc/sys/net/ipv6/conf/default/accept_dad"); err != nil || string(dad) == "0\n" {
				t.Errorf("accept_dad is %q here for all interfaces (error %v): the test shows nothing", dad, err)
			}
		})
	}
}

// linkLocal says whether net1 has a link-local address that is not tentative.
func linkLocal(t *testing.T, netns string) (usable bool) {
	t.Helper()
	nstest.Do(t, netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(inner, netlink.FAMILY_V6)
		for _, a := range addrs {
			usable = usable || a.Scope == unix.RT_SCOPE_LINK && a.Flags&unix.IFA_F_TENTATIVE == 0
		}
		return err
	})
	return usable
}

// probes listens at the host end, and counts the neighbour solicitations from
// the unspecified address that came.
func probes(t *testing.T) (heard func() int) {
	t.Helper()
	ifi, err := net.InterfaceByName(host.Name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_IPV6, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func() (n int) {
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		for frame := make([]byte, 1500); ; {
			size, _, err := conn.ReadFrom(frame)
			if err != nil {
				return n
			}
			if size >= 62 && frame[54] == 135 && net.IP(frame[22:38]).IsUnspecified() {
				n++
			}
		}
	}
}

// What the kernel refuses leaves nothing.
func TestCreateRefusesNames(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	for _, name := range []string{"all", "default", "x%d", "éééééééé", "a/b"} {
		bad := want
		bad.Name = name
		if err := l.Create(host, netns, bad, Kernel); !errors.Is(err, ErrName) {
			t.Errorf("Create of interface %q = %v, want ErrName", name, err)
		}
	}
	long := HostEnd{Name: host.Name, Owner: NewOwner(container, "net1", strings.Repeat("n", 253))}
	if err := l.Create(long, netns, want, Kernel); err != nil {
		t.Errorf("Create for a network configuration of a long name: %v", err)
	}
	remove(t, l)
	if ends, err := l.List(); err != nil || len(ends) > 0 {
		t.Errorf("%v are left (error %v)", ends, err)
	}
}

func TestCreateEnablesIPv6(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	err := inNamespace(netns, func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	create(t, l, netns, Kernel)
	got, err := Inspect(netns, "net1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Addresses, got.Addresses, prefixes); diff != "" {
		t.Errorf("runtimes disable IPv6 in pods of IPv4 clusters; an IPv6 address needs it (-want +got):\n%s", diff)
	}
}

func TestHostEndIsIsolated(t *testing.T) {
	cases := map[string]struct {
		reason   string
		datapath Datapath
		chains   []string
		offload  bool
	}{
		"Kernel":    {"on a kernel datapath the ingress hook would cut OVS off, so all but Router Advertisements pass, and offload works", Kernel, []string{host.Name}, true},
		"Userspace": {"on a userspace datapath frames reach the stack as well, and nothing fills in checksums", Userspace, []string{host.Name}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, netns := New("/proc/sys"), nstest.NewNS(t)
			create(t, l, netns, tc.datapath)

			end, err := netlink.LinkByName(host.Name)
			if err != nil {
				t.Fatal(err)
			}
			addrs, err := netlink.AddrList(end, netlink.FAMILY_ALL)
			if err != nil {
				t.Fatal(err)
			}
			if end.Attrs().Flags&net.FlagUp == 0 || len(addrs) > 0 {
				t.Errorf("host end has flags %v and addresses %v, want it up and without any, not even a link-local one", end.Attrs().Flags, addrs)
			}
			if diff := cmp.Diff(tc.chains, chains(t)); diff != "" {
				t.Errorf("%s (-want +got chains):\n%s", tc.reason, diff)
			}
			if got := offload(t, netns, "net1"); got != tc.offload {
				t.Errorf("%s: transmit checksum offload is %v, want %v", tc.reason, got, tc.offload)
			}
			if answersARP(t, netns) {
				t.Error("the node's stack answers ARP on its host end")
			}
		})
	}
}

// answersARP asks, from the pod, for an address of the node. There is no OVS on
// the host end that would keep the node from hearing it.
func answersARP(t *testing.T, netns string) bool {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	node := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 101, 0, 99), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrReplace(lo, node); err != nil {
		t.Fatal(err)
	}
	answered := false
	err = inNamespace(netns, func() error {
		// One request, answered or given up within 100 ms.
		for sysctl, value := range map[string]string{"mcast_solicit": "1", "retrans_time_ms": "100"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/neigh/net1/"+sysctl, []byte(value), 0); err != nil {
				return err
			}
		}
		conn, err := net.DialTimeout("udp", "10.101.0.99:9", time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		answered = resolves(t, "net1", "10.101.0.99")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return answered
}

// resolves waits until the kernel has found the neighbour's MAC, or given up.
func resolves(t *testing.T, iface, ip string) (found bool) {
	t.Helper()
	link, err := netlink.LinkByName(iface)
	if err != nil {
		t.Fatal(err)
	}
	gomega.NewWithT(t).Eventually(func() (settled bool) {
		neighbours, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_V4)
		if err != nil {
			t.Error(err)
		}
		for _, n := range neighbours {
			found = n.State&(netlink.NUD_REACHABLE|netlink.NUD_STALE|netlink.NUD_DELAY) != 0
			settled = n.IP.String() == ip && (found || n.State&netlink.NUD_FAILED != 0)
		}
		return settled
	}, nstest.Patience(5*time.Second), "10ms").Should(gomega.BeTrue(), "neighbour %s must be found or given up", ip)
	return found
}

func chains(t *testing.T) []string {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.ListChainsOfTableFamily(nftables.TableFamilyNetdev)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, chain := range all {
		names = append(names, chain.Name)
	}
	return names
}

func offload(t *testing.T, netns, name string) (on bool) {
	t.Helper()
	err := inNamespace(netns, func() error {
		e, err := ethtool.NewEthtool()
		if err != nil {
			return err
		}
		defer e.Close()
		features, err := e.Features(name)
		on = features["tx-checksum-ip-generic"] || features["tx-checksum-sctp"] || features["tx-tcp-segmentation"]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return on
}

func TestCreateUndoesItselfOnFailure(t *testing.T) {
	cases := map[string]struct {
		reason string
		links  *Links
		want   func(Interface) Interface
	}{
		"NoSysctl": {"the host end could not be isolated", New(t.TempDir()), func(i Interface) Interface { return i }},
		"BadAddress": {"the pod's end could not be configured", New("/proc/sys"), func(i Interface) Interface {
			i.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8"), netip.MustParsePrefix("10.0.0.1/8")}
			return i
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if name == "NoSysctl" {
				mustMkdir(t, tc.links.sysctls+"/net/ipv6/conf/all")
			}
			netns := nstest.NewNS(t)
			if err := tc.links.Create(host, netns, tc.want(want), Userspace); err == nil {
				t.Fatalf("Create succeeded, want an error: %s", tc.reason)
			}
			ends, err := tc.links.List()
			if err != nil || len(ends) > 0 {
				t.Errorf("%s: host ends %v are left (error %v)", tc.reason, ends, err)
			}
			if left := chains(t); len(left) > 0 {
				t.Errorf("%s: chains %v are left", tc.reason, left)
			}
			if _, err := Inspect(netns, "net1"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: the pod's interface is left (error %v)", tc.reason, err)
			}
		})
	}
}

func mustMkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestCreateRefusesATakenName(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	second := HostEnd{Name: HostName(container, "other"), Owner: owner}
	err := l.Create(second, netns, want, Kernel)
	if err == nil || !strings.Contains(err.Error(), `"net1"`) {
		t.Errorf("Create of an interface that the pod has = %v, want an error that names it", err)
	}
	if got, err := Inspect(netns, "net1"); err != nil || got.MAC.String() != want.MAC.String() {
		t.Errorf("the first interface must survive, got %v (error %v)", got, err)
	}
}

func TestDelete(t *testing.T) {
	cases := map[string]struct {
		reason string
		before func(t *testing.T, netns string)
	}{
		"Whole":          {"the pair goes", func(*testing.T, string) {}},
		"NamespaceGone":  {"the pod's end of life took the pair along", nstestRemove},
		"InterfaceGone":  {"a program in the pod deleted the interface", deleteInside},
		"DeletedAlready": {"DEL may come twice", func(t *testing.T, _ string) { remove(t, New("/proc/sys")) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, netns := New("/proc/sys"), nstest.NewNS(t)
			if err := l.Create(host, netns, want, Userspace); err != nil {
				t.Fatal(err)
			}
			tc.before(t, netns)
			remove(t, l)
			if ends, err := l.List(); err != nil || len(ends) > 0 {
				t.Errorf("%s: host ends %v are left (error %v)", tc.reason, ends, err)
			}
			if left := chains(t); len(left) > 0 {
				t.Errorf("%s: chains %v are left", tc.reason, left)
			}
		})
	}
}

func nstestRemove(t *testing.T, netns string) { nstest.RemoveNS(t, netns) }

func deleteInside(t *testing.T, netns string) {
	t.Helper()
	err := inNamespace(netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		return netlink.LinkDel(inner)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestListKnowsAnInterruptedCreate(t *testing.T) {
	l := New("/proc/sys")
	half := netlink.NewVeth(netlink.LinkAttrs{Name: host.Name, TxQLen: -1})
	half.PeerName = "foreign"
	if err := netlink.LinkAdd(half); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, l) })
	ends, err := l.List()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]HostEnd{{Name: host.Name}}, ends); diff != "" {
		t.Fatalf("an agent that died before the alias left a host end; the other veth is a stranger's (-want +got):\n%s", diff)
	}
	if !ends[0].In(container) {
		t.Errorf("the host end %v belongs to its container", ends[0])
	}
}

func TestAnnounce(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	ifi, err := net.InterfaceByName(host.Name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := Announce(netns, want); err != nil {
		t.Fatalf("Announce: %v", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// Several times each: the first may meet what is not ready to forward it.
	const times, interval = 4, 2 * time.Second // RFC 5227 section 2.3, ANNOUNCE_INTERVAL
	began, announcedARP, announcedNA := time.Now(), 0, 0
	for frame := make([]byte, 1500); announcedARP < times || announcedNA < times; {
		n, _, err := conn.ReadFrom(frame)
		if err != nil {
			t.Fatalf("heard %d ARP announcements and %d neighbour advertisements, then %v", announcedARP, announcedNA, err)
		}
		if isAnnouncement(frame[:n]) {
			announcedARP++
		}
		if isAdvertisement(frame[:n]) {
			announcedNA++
		}
	}
	if took := time.Since(began); took < interval {
		t.Errorf("the last was heard after %s, want an interval of %s before it", took, interval)
	}
}

// isAnnouncement: an ARP packet whose sender and target are the pod's address.
func isAnnouncement(f []byte) bool {
	ip := string(want.Addresses[0].Addr().AsSlice())
	return len(f) >= 42 && f[12] == 0x08 && f[13] == 0x06 && string(f[22:28]) == string(want.MAC) &&
		string(f[28:32]) == ip && string(f[38:42]) == ip
}

// isAdvertisement: ICMPv6 type 136 with the override flag, for the pod's
// address, with its MAC as target link-layer address.
func isAdvertisement(f []byte) bool {
	return len(f) >= 86 && f[12] == 0x86 && f[13] == 0xdd && f[54] == 136 && f[58]&0x20 != 0 &&
		string(f[62:78]) == string(want.Addresses[1].Addr().AsSlice()) && f[78] == 2 && string(f[80:86]) == string(want.MAC)
}

// Other pods come and go while one is deleted: the listing must neither fail
// nor miss a host end.
func TestListWhileLinksChange(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	create(t, l, netns, Kernel)
	var churn sync.WaitGroup
	for n := range 8 {
		churn.Go(func() {
			for range 40 {
				other := netlink.NewVeth(netlink.LinkAttrs{Name: fmt.Sprintf("other%d", n), TxQLen: -1})
				other.PeerName = fmt.Sprintf("peer%d", n)
				if err := errors.Join(netlink.LinkAdd(other), netlink.LinkDel(other)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { churn.Wait(); close(ended) }()
	for {
		ends, err := l.List()
		if diff := cmp.Diff([]HostEnd{host}, ends); err != nil || diff != "" {
			t.Fatalf("List: error %v (-want +got):\n%s", err, diff)
		}
		select {
		case <-ended:
			return
		default:
		}
	}
}
