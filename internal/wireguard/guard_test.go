//go:build integration

package wireguard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// A peer with a key has what edges say to each other, and nothing else of the node or
// behind it.
func TestPeersGetToEdgesAlone(t *testing.T) {
	for name, bridged := range map[string]bool{"Own": false, "Bridged": true} {
		t.Run(name, func(t *testing.T) {
			a, b := sides(t, false, bridged)
			for _, e := range []*edge{a, b} {
				e.config.BGP = 1790
				e.bring()
			}
			other, behind := netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:2::2")
			pod := b.behind(behind)
			in(b, func() (any, error) { return nil, b.lo(other) })
			a.strays(b, other, behind)
			udp, tcp := []string{"udp"}, []string{"tcp"}
			cases := map[string]struct {
				reason   string
				to       *edge
				networks []string
				at       netip.Addr
				port     int
				from     int
				want     bool
			}{
				"VXLAN":   {"it is edges'", b, udp, b.inside(), 4789, 0, true},
				"BGP":     {"it is edges', at its port", b, tcp, b.inside(), 1790, 0, true},
				"Kubelet": {"it is the node's", b, tcp, b.inside(), 10250, 0, false},
				"FromBGP": {"it answers nothing", b, tcp, b.inside(), 10250, 1790, false},
				"Geneve":  {"it is the node's", b, udp, b.inside(), 6081, 0, false},
				"Other":   {"it is no edge's address", b, []string{"udp", "tcp"}, other, 4789, 0, false},
				"Behind":  {"the node is no router for peers", pod, []string{"udp", "tcp"}, behind, 4789, 0, false},
			}
			for name, tc := range cases {
				for _, network := range tc.networks {
					if got := a.reaches(tc.to, network, tc.from, tc.at, tc.port, b); got != tc.want {
						t.Errorf("%s: %s to %s port %d passes: %v: %s", name, network, tc.at, tc.port, got, tc.reason)
					}
				}
			}
			b.must("remove")
			if out := in(b, tables); slices.Contains(out, TableName) {
				t.Errorf("tables left: %v", out)
			}
		})
	}
}

// tables are nftables' by name.
func tables() (names []string, err error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	all, err := c.ListTables()
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names, err
}

// lo gives an address to the loopback interface.
func (e *edge) lo(a netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.AddrAdd(lo, &netlink.Addr{IPNet: host(a)})
}

// behind is a namespace of that address to which the edge's node forwards.
func (e *edge) behind(a netip.Addr) *edge {
	e.t.Helper()
	pod := newEdge(e.t, "192.0.2.9", false)
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: "pod", TxQLen: -1})
	pair.PeerName = "inpod"
	in(e, func() (any, error) {
		ns, err := os.Open(pod.netns)
		if err != nil {
			return nil, err
		}
		defer ns.Close()
		pair.PeerNamespace = netlink.NsFd(int(ns.Fd()))
		if err := netlink.LinkAdd(pair); err != nil {
			return nil, err
		}
		link, err := netlink.LinkByName("pod")
		return nil, errors.Join(err, netlink.LinkSetUp(link),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0),
			netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: host(a)}))
	})
	in(pod, func() (any, error) {
		link, err := netlink.LinkByName("inpod")
		if err != nil {
			return nil, err
		}
		return nil, errors.Join(netlink.LinkSetUp(link), netlink.AddrAdd(link, &netlink.Addr{IPNet: host(a), Flags: 2}))
	})
	return pod
}

// strays has the edge send to addresses behind the peer that are not the peer's.
func (e *edge) strays(to *edge, others ...netip.Addr) {
	e.t.Helper()
	e.config.Peers[0].Endpoint = to.out
	r := e.do("stray", others...)
	if r.Err != "" {
		e.t.Fatal(r.Err)
	}
	in(e, func() (any, error) {
		link, err := netlink.LinkByName(Link)
		for _, a := range others {
			err = errors.Join(err, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: host(a), Src: e.inside().AsSlice()}))
		}
		return nil, err
	})
}

// stray is what an edge would not do.
func stray(key Key, others []netip.Addr) error {
	client, err := wgctrl.New()
	if err != nil {
		return err
	}
	defer client.Close()
	p := wgtypes.PeerConfig{PublicKey: wgtypes.Key(key), UpdateOnly: true}
	for _, a := range others {
		p.AllowedIPs = append(p.AllowedIPs, *host(a))
	}
	return client.ConfigureDevice(Link, wgtypes.Config{Peers: []wgtypes.PeerConfig{p}})
}

// reaches says whether a packet comes to the address: one of VXLAN's port at the edge's own
// follows it, and arrives in any case.
func (e *edge) reaches(to *edge, network string, from int, address netip.Addr, port int, through *edge) bool {
	e.t.Helper()
	arrived := make(chan bool, 2)
	listen := func(on *edge, network, at string, mark bool) func() {
		if network == "tcp" {
			l := in(on, func() (net.Listener, error) { return net.Listen(network, at) })
			go func() {
				if c, err := l.Accept(); err == nil {
					c.Close()
					arrived <- mark
				}
			}()
			return func() { l.Close() }
		}
		l := in(on, func() (net.PacketConn, error) { return net.ListenPacket(network, at) })
		go func() {
			if _, _, err := l.ReadFrom(make([]byte, 10)); err == nil {
				arrived <- mark
			}
		}()
		return func() { l.Close() }
	}
	send := func(network string, from int, at string) {
		in(e, func() (any, error) {
			d := net.Dialer{Timeout: 300 * time.Millisecond}
			if from != 0 && network == "tcp" {
				d.LocalAddr = &net.TCPAddr{IP: e.inside().AsSlice(), Port: from}
			}
			c, err := d.Dial(network, at)
			if err != nil {
				return nil, nil
			}
			_, _ = c.Write([]byte("hello"))
			return nil, c.Close()
		})
	}
	at := netip.AddrPortFrom(address, uint16(port)).String()
	defer listen(to, network, at, true)()
	send(network, from, at)
	if network == "udp" && to == through && address == through.inside() && port == vxlanPort {
		return waits(e, arrived)
	}
	last := netip.AddrPortFrom(through.inside(), vxlanPort).String()
	defer listen(through, "udp", last, false)()
	send("udp", 0, last)
	return waits(e, arrived)
}

func waits(e *edge, arrived chan bool) bool {
	e.t.Helper()
	select {
	case which := <-arrived:
		if which {
			return true
		}
	case <-time.After(patience):
		e.t.Fatal("what must arrive does not")
	}
	select {
	case <-arrived:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// TestTheGuardIsReplacedAtOnce: each Address writes the table; at no moment is there none.
func TestTheGuardIsReplacedAtOnce(t *testing.T) {
	a, b := sides(t)
	g := gomega.NewWithT(t)
	l := in(b, func() (net.PacketConn, error) { return net.ListenPacket("udp", fmt.Sprintf("[%s]:6081", b.inside())) })
	heard := make(chan bool, 1)
	go func() {
		if _, _, err := l.ReadFrom(make([]byte, 10)); err == nil {
			heard <- true
		}
	}()
	c := in(a, func() (net.Conn, error) { return net.Dial("udp", fmt.Sprintf("[%s]:6081", b.inside())) })
	stop := make(chan struct{})
	sent := make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				sent <- n
				return
			default:
				_, _ = c.Write([]byte("hello"))
			}
		}
	}()
	for range 20 {
		b.must("address")
	}
	close(stop)
	g.Expect(<-sent).To(gomega.BeNumerically(">", 100))
	l.Close()
	c.Close()
	g.Expect(heard).NotTo(gomega.Receive())
}
