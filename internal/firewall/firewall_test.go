//go:build integration

package firewall_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/firewall"
	"l2sm.io/l2sm/internal/link/nstest"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) { nstest.Main(m) }

// site is a node, the test's own network namespace, between a pod, which its
// cluster's network masquerades, and a peer on the underlay.
type site struct {
	t         *testing.T
	pod, peer string
}

// Addresses of the two networks, of both families.
var (
	nodeOnUnderlay = []string{"192.0.2.1/24", "2001:db8::1/64"}
	peerOnUnderlay = []string{"192.0.2.2/24", "2001:db8::2/64"}
	nodeForPod     = []string{"10.244.0.1/24", "fd44::1/64"}
	podOnCluster   = []string{"10.244.0.2/24", "fd44::2/64"}
)

// masquerade is what a cluster's network has on every node.
const masquerade = `table inet cluster {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "under" masquerade
	}
}`

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, pod: nstest.NewNS(t), peer: nstest.NewNS(t)}
	s.join("under", nodeOnUnderlay, s.peer, "eth0", peerOnUnderlay, nil)
	s.join("veth", nodeForPod, s.pod, "eth0", podOnCluster, nodeForPod)
	for _, family := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+family, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	s.nft(masquerade)
	t.Cleanup(func() { s.nft("flush ruleset") })
	return s
}

// join makes a veth pair between the node and a namespace, with addresses, and
// default routes there.
func (s *site) join(name string, own []string, namespace, theirs string, addresses, gateways []string) {
	s.t.Helper()
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: name, TxQLen: -1})
	pair.PeerName = theirs + name
	if err := netlink.LinkAdd(pair); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = netlink.LinkDel(pair) })
	s.configure(name, own, nil)
	peer, err := netlink.LinkByName(theirs + name)
	if err != nil {
		s.t.Fatal(err)
	}
	file, err := os.Open(namespace)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	if err := netlink.LinkSetNsFd(peer, int(file.Fd())); err != nil {
		s.t.Fatal(err)
	}
	nstest.Do(s.t, namespace, func() error { s.configure(theirs+name, addresses, gateways); return nil })
}

func (s *site) configure(name string, addresses, gateways []string) {
	s.t.Helper()
	link, err := netlink.LinkByName(name)
	errs := []error{err, netlink.LinkSetUp(link)}
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		errs = append(errs, err)
		addr.Flags = 2 // IFA_F_NODAD
		errs = append(errs, netlink.AddrAdd(link, addr))
	}
	for _, g := range gateways {
		errs = append(errs, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(host(g))}))
	}
	if err := errors.Join(errs...); err != nil {
		s.t.Fatal(err)
	}
}

func host(address string) string { return netip.MustParsePrefix(address).Addr().String() }

// nft is another program that writes nftables.
func (s *site) nft(script string) {
	s.t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("nft: %v: %s", err, out)
	}
}

// passes says whether a packet from one namespace (none is the node) to the port
// at an address arrives in the other: one to a port that is nobody's follows it,
// and arrives in any case.
func (s *site) passes(from, to, address string, port int) bool {
	s.t.Helper()
	const follows = 7777
	first, second := s.listen(to, address, port), s.listen(to, address, follows)
	defer first.Close()
	defer second.Close()
	s.send(from, address, port)
	s.send(from, address, follows)
	_ = second.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := second.ReadFrom(make([]byte, 100)); err != nil {
		s.t.Fatalf("the packet to port %d of %s did not arrive: %v", follows, address, err)
	}
	_ = first.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, _, err := first.ReadFrom(make([]byte, 100))
	return err == nil
}

func (s *site) in(namespace string, f func() error) {
	s.t.Helper()
	if namespace == "" {
		if err := f(); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	nstest.Do(s.t, namespace, f)
}

func (s *site) listen(namespace, address string, port int) (c net.PacketConn) {
	s.t.Helper()
	s.in(namespace, func() (err error) {
		c, err = net.ListenPacket("udp", net.JoinHostPort(address, fmt.Sprint(port)))
		return err
	})
	return c
}

func (s *site) send(namespace, address string, port int) {
	s.t.Helper()
	s.in(namespace, func() error {
		c, err := net.Dial("udp", net.JoinHostPort(address, fmt.Sprint(port)))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("geneve"))
		return err
	})
}

// keep runs a keeper until the test ends, or stop is called.
func keep(t *testing.T, tunnels ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	working := make(chan struct{}, 100)
	k := firewall.New(logr.Discard(), func(err error) {
		if err == nil {
			working <- struct{}{}
		}
	}, []uint16{firewall.GenevePort}, []uint16{firewall.VXLANPort})
	if len(tunnels) > 0 {
		k.SetTunnels(true, tunnels...)
	}
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	<-working
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the keeper ended with %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

// check sends what must pass and what must not.
func (s *site) check(reason string, open bool) {
	s.t.Helper()
	for i := range peerOnUnderlay {
		node, peer := host(nodeOnUnderlay[i]), host(peerOnUnderlay[i])
		for name, tc := range map[string]struct {
			from, to, address string
			port              int
			want              bool
		}{
			"a pod to another node":            {s.pod, s.peer, peer, 6081, open},
			"a pod to a peer's edge":           {s.pod, s.peer, peer, firewall.VXLANPort, open},
			"a pod to its own node":            {s.pod, "", node, 6081, open},
			"a pod to its gateway":             {s.pod, "", host(nodeForPod[i]), 6081, open},
			"a pod to another node, elsewhere": {s.pod, s.peer, peer, 6082, true},
			"the node's own":                   {"", s.peer, peer, 6081, true},
			"another node's":                   {s.peer, "", node, 6081, true},
			"the node to itself":               {"", "", node, 6081, true},
			"the node's own VXLAN":             {"", s.peer, peer, firewall.VXLANPort, true},
			"another node's VXLAN":             {s.peer, "", node, firewall.VXLANPort, true},
			"another node's VXLAN, elsewhere":  {s.pod, "", host(nodeForPod[i]), firewall.VXLANPort, true},
		} {
			if got := s.passes(tc.from, tc.to, tc.address, tc.port); got != tc.want {
				s.t.Errorf("%s: %s at %s port %d passes: %v, want %v", reason, name, tc.address, tc.port, got, tc.want)
			}
		}
	}
}

func TestForwardedTunnelPackets(t *testing.T) {
	s := newSite(t)
	s.check("without the table a pod reaches the tunnels", true)
	stop := keep(t, "under")
	s.check("with it only nodes do", false)

	others := map[string]string{
		"everything is flushed":       "flush ruleset",
		"the table is deleted":        "delete table inet " + firewall.TableName,
		"a chain is flushed":          "flush chain inet " + firewall.TableName + " forward",
		"a rule comes before":         "insert rule inet " + firewall.TableName + " forward udp dport 6081 accept",
		"the other chain is flushed":  "flush chain inet " + firewall.TableName + " input",
		"the table sleeps":            "add table inet " + firewall.TableName + " { flags dormant; }",
		"everything is flushed again": "flush ruleset",
	}
	for what, script := range others {
		before := listing(t)
		s.nft(script)
		NewWithT(t).Eventually(func() string { return listing(t) }, patience, "5ms").Should(Equal(before), what)
		s.nft("table inet cluster\ndelete table inet cluster\n" + masquerade)
	}
	s.check("it is restored", false)

	stop()
	s.check("it stays when the agent is gone", false)
	keep(t)
	s.check("and when the next one does not know the tunnels yet", false)
}

// What a node forwards by itself, as IPVS does, is output with a pod's address.
func TestOutputFromForeignAddresses(t *testing.T) {
	s := newSite(t)
	arrives := func(source string, port uint16) bool {
		t.Helper()
		c := s.listen(s.peer, host(peerOnUnderlay[0]), int(port))
		defer c.Close()
		marker := s.listen(s.peer, host(peerOnUnderlay[0]), 7777)
		defer marker.Close()
		raw(t, source, host(peerOnUnderlay[0]), port)
		raw(t, source, host(peerOnUnderlay[0]), 7777)
		_ = marker.SetReadDeadline(time.Now().Add(patience))
		if _, _, err := marker.ReadFrom(make([]byte, 100)); err != nil {
			t.Fatalf("the packet to another port did not arrive: %v", err)
		}
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _, err := c.ReadFrom(make([]byte, 100))
		return err == nil
	}
	pod, node := host(podOnCluster[0]), host(nodeOnUnderlay[0])
	ports := []uint16{firewall.GenevePort, firewall.VXLANPort}
	for _, port := range ports {
		if !arrives(pod, port) {
			t.Errorf("without the table, what a pod's address is the source of arrives at port %d", port)
		}
	}
	keep(t, "under")
	for _, port := range ports {
		if arrives(pod, port) {
			t.Errorf("what a pod's address is the source of leaves as the node's own, to port %d", port)
		}
		if !arrives(node, port) {
			t.Errorf("the node's own packets do not arrive at port %d", port)
		}
	}
}

// raw has the node's own stack send a UDP packet with a source of the test's choice.
func raw(t *testing.T, source, to string, port uint16) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	payload := []byte("geneve")
	length := 20 + 8 + len(payload)
	packet := []byte{0x45, 0, 0, byte(length), 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	packet = append(packet, netip.MustParseAddr(source).AsSlice()...)
	packet = append(packet, netip.MustParseAddr(to).AsSlice()...)
	packet = append(packet, 0x30, 0x39, byte(port>>8), byte(port), 0, byte(8+len(payload)), 0, 0) // no checksum
	packet = append(packet, payload...)
	if err := unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: netip.MustParseAddr(to).As4()}); err != nil && !errors.Is(err, unix.EPERM) {
		t.Fatal(err) // EPERM is what a dropped packet gives its sender
	}
}

// listing is the table without what counts.
func listing(t *testing.T) string {
	t.Helper()
	out, _ := exec.Command("nft", "--stateless", "list", "table", "inet", firewall.TableName).Output()
	return string(out)
}

// A tunnel's interface may come later, and be another one.
func TestTunnelInterface(t *testing.T) {
	s := newSite(t)
	working := make(chan struct{}, 10)
	k := firewall.New(logr.Discard(), func(error) { working <- struct{}{} }, []uint16{firewall.GenevePort}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	defer func() { cancel(); <-done }()
	<-working
	peer, node := host(peerOnUnderlay[0]), host(nodeOnUnderlay[0])
	if s.passes(s.pod, s.peer, peer, 6081) {
		t.Error("what is forwarded passes while the tunnels' interface is not known")
	}
	if !s.passes(s.peer, "", node, 6081) {
		t.Error("what comes in does not, while the interface is not known")
	}
	k.SetTunnels(true, "under")
	g := NewWithT(t)
	g.Eventually(func() bool { return s.passes(s.pod, "", node, 6081) }, patience, "10ms").Should(BeFalse())
	if !s.passes(s.peer, "", node, 6081) {
		t.Error("another node's packets do not pass")
	}
	k.SetTunnels(true, "eth9")
	g.Eventually(func() bool { return s.passes(s.peer, "", node, 6081) }, patience, "10ms").Should(BeFalse())
}
