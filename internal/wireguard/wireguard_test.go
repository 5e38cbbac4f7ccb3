//go:build integration

package wireguard

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// All that goes between edges is encrypted, both ways, whichever kind their devices are.
func TestTraffic(t *testing.T) {
	cases := map[string][2]bool{"Own": {false, false}, "Bridged": {true, true}, "Mixed": {false, true}}
	for name, bridged := range cases {
		t.Run(name, func(t *testing.T) {
			a, b := sides(t, bridged[0], bridged[1])
			text := []byte("nobody outside may read this")
			seen := watch(a, text)
			for _, way := range [][2]*edge{{a, b}, {b, a}} {
				sent := bytes.Repeat(text, 10_000)
				if got, _ := transfer(way[0], way[1], sent); !bytes.Equal(got, sent) {
					t.Errorf("%d of %d bytes arrive", len(got), len(sent))
				}
			}
			if err := seen.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is right stays as it is: neither a call that changes nothing nor another peer, nor
// one that goes, costs a packet.
func TestNothingIsInterrupted(t *testing.T) {
	for name, bridged := range map[string]bool{"Own": false, "Bridged": true} {
		t.Run(name, func(t *testing.T) {
			a, b := sides(t, bridged, false)
			s := pings(a, b)
			for range 3 {
				a.bring()
				a.config.Peers = append(a.config.Peers, Peer{Endpoint: netip.MustParseAddr("192.0.2.9"), Keys: []Key{mustGenerate(t).Public()}})
				a.bring()
				s.flows(t)
				a.config.Peers = a.config.Peers[:1]
				a.bring()
				if r := a.must("choose", b.out); r.Changed {
					t.Error("another key is chosen where there is none")
				}
				s.flows(t)
			}
			s.all(t)
		})
	}
}

func TestStrangersGetNothing(t *testing.T) {
	a, b := sides(t)
	s := pings(a, b)
	known := b.config.Peers[0].Keys
	b.config.Peers[0].Keys = []Key{mustGenerate(t).Public()}
	b.bring()
	before := s.count()
	// One may be on its way back.
	gomega.NewWithT(t).Consistently(s.count, "500ms", "5ms").Should(gomega.BeNumerically("<=", before+1), "datagrams that came back")
	b.config.Peers[0].Keys = known
	b.bring()
	s.flows(t)
}

// A side that changes its key is sent to with the former one until it is known to be silent.
func TestKeyChange(t *testing.T) {
	a, b := sides(t)
	next := mustGenerate(t)
	b.config.Peers[0].Keys = append(b.config.Peers[0].Keys, next.Public())
	b.bring()
	s := pings(a, b)
	if r := b.must("choose", a.out); r.Changed {
		t.Fatal("a key is chosen that has never shaken hands")
	}
	a.key = next
	a.bring()
	g := gomega.NewWithT(t)
	g.Eventually(func() bool { return b.must("choose", a.out).Changed }, patience, "20ms").Should(gomega.BeTrue(), "the other key is chosen")
	s.flows(t)
	s.flows(t)
	b.bring()
	b.config.Peers[0].Keys = []Key{next.Public()}
	b.bring()
	s.flows(t)
	if r := b.must("choose", a.out); r.Changed {
		t.Error("another key is chosen where there is none")
	}
}

// A process that ends takes wireguard-go along, and leaves the port of the bridge as it is.
// The kernel's device goes on meanwhile.
func TestRestart(t *testing.T) {
	a, b := sides(t, false, true)
	s := pings(a, b)
	a.end()
	if onKernel() {
		s.flows(t)
	}
	a.start()
	a.bring()
	s.flows(t)
	if onKernel() {
		s.all(t)
		return
	}
	before := in(b, index)
	b.end()
	b.start()
	b.bring()
	s.flows(t)
	if after := in(b, index); after != before {
		t.Errorf("the port of the bridge was link %d and is link %d: Open vSwitch would not know it again", before, after)
	}
}

func index() (int, error) {
	link, err := netlink.LinkByName(Link)
	if err != nil {
		return 0, err
	}
	return link.Attrs().Index, nil
}

func TestNothingIsLeft(t *testing.T) {
	a, b := sides(t, false, true)
	pings(a, b).close()
	for _, e := range []*edge{a, b} {
		if left := in(e, leftovers); left == "" {
			t.Fatal("nothing is found of what there is")
		}
		e.must("remove")
		e.must("remove")
		if left := in(e, leftovers); left != "" {
			t.Errorf("left: %s", left)
		}
		e.bring()
	}
	pings(b, a)
}

// An edge that does not encrypt has no right to, and nothing to take away.
func TestNothingIsTakenAwayWithoutRights(t *testing.T) {
	e := newEdge(t, "192.0.2.1", false)
	e.must("remove")
	e.end()
	e.start("setpriv", "--bounding-set=-net_admin")
	e.must("remove")
	if got := e.do("bring"); !strings.Contains(got.Err, "NET_ADMIN") {
		t.Errorf("the error %q does not say what is needed", got.Err)
	}
	in(e, func() (any, error) {
		return nil, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Link, TxQLen: -1}})
	})
	if got := e.do("remove"); !strings.Contains(got.Err, "ip link delete "+Link) {
		t.Errorf("the error %q does not say how to go on", got.Err)
	}
}

// leftovers are the device, and addresses and routes within tunnels.
func leftovers() (string, error) {
	var left []string
	links, err := netlink.LinkList()
	if err != nil {
		return "", err
	}
	for _, link := range links {
		if name := link.Attrs().Name; name == Link {
			left = append(left, name)
		}
		addresses, err := netlink.AddrList(link, unix.AF_INET6)
		if err != nil {
			return "", err
		}
		for _, a := range addresses {
			if Within.Contains(prefixOf(a.IPNet).Addr()) {
				left = append(left, a.String())
			}
		}
		routes, err := netlink.RouteList(link, unix.AF_INET6)
		if err != nil {
			return "", err
		}
		for _, r := range routes {
			if r.Dst != nil && Within.Contains(prefixOf(r.Dst).Addr()) {
				left = append(left, r.String())
			}
		}
	}
	return strings.Join(left, ", "), nil
}

// Another address, another way, another peer: all follows.
func TestChanges(t *testing.T) {
	for name, bridged := range map[string]bool{"Own": false, "Bridged": true} {
		t.Run(name, func(t *testing.T) {
			a, b := sides(t, bridged, false)
			moved := netip.MustParseAddr("192.0.2.7")
			in(a, func() (any, error) {
				link, err := netlink.LinkByName(outside)
				if err != nil {
					return nil, err
				}
				return nil, netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: moved.AsSlice(), Mask: net.CIDRMask(24, 32)}})
			})
			a.out, a.config.Local, a.config.MTU = moved, moved, 1400
			b.config.Peers[0].Endpoint = moved
			a.config.Peers = append(a.config.Peers, Peer{Endpoint: netip.MustParseAddr("192.0.2.9"), Keys: []Key{mustGenerate(t).Public()}})
			a.bring()
			a.config.Peers = a.config.Peers[:1]
			a.bring()
			b.bring()
			pings(a, b)
			want := fmt.Sprintf("%s/48 mtu 1340 to %s/128", Inside(moved), b.inside())
			if got := in(a, func() (string, error) { return described(bridged) }); got != want {
				t.Errorf("the link has %q, want %q", got, want)
			}
		})
	}
}

// described is the link's address, MTU and routes.
func described(bridged bool) (string, error) {
	name := Link
	if bridged {
		name = Bridge
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return "", err
	}
	addresses, err := netlink.AddrList(link, unix.AF_INET6)
	if err != nil {
		return "", err
	}
	var is []string
	for _, a := range addresses {
		is = append(is, a.IPNet.String())
	}
	is = append(is, fmt.Sprint("mtu ", link.Attrs().MTU))
	all, err := routes(link)
	for _, r := range all {
		is = append(is, "to "+r.Dst.String())
	}
	return strings.Join(is, " "), err
}

func TestALinkInTheWayIsReplaced(t *testing.T) {
	a, b := sides(t)
	for _, bridged := range []bool{false, true} {
		in(a, func() (any, error) {
			link, err := netlink.LinkByName(Link)
			if err != nil {
				return nil, err
			}
			if err := netlink.LinkDel(link); err != nil {
				return nil, err
			}
			return nil, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Link, TxQLen: -1}})
		})
		// Then the other kind of ours is.
		for _, a.config.Bridged = range []bool{bridged, !bridged} {
			a.bring()
			pings(a, b).all(t)
		}
	}
}

func TestWhatEdgesMustBeTold(t *testing.T) {
	cases := map[string]struct {
		reason string
		make   func(t *testing.T, e *edge)
		do     string
		want   []string
	}{
		"IPv6": {"the addresses within are IPv6", func(t *testing.T, e *edge) {
			in(e, func() (any, error) {
				return nil, os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
			})
			e.must("bring")
		}, "address", []string{"sysctl net.ipv6.conf"}},
		"MTU": {"IPv6 needs 1280 bytes", func(_ *testing.T, e *edge) { e.config.MTU = 1339 }, "bring", []string{"1279", "1340", "L2Edge"}},
		"Port": {"another program has the port", func(t *testing.T, e *edge) {
			taken := in(e, func() (net.PacketConn, error) { return net.ListenPacket("udp4", fmt.Sprint(":", port)) })
			t.Cleanup(func() { taken.Close() })
		}, "bring", []string{fmt.Sprint(port), "another program"}},
		"Bridge": {"others make the bridge", func(_ *testing.T, e *edge) {
			e.config.Bridged = true
			e.must("bring")
		}, "address", []string{Bridge}},
		"Busy": {"a former pod has not ended yet", func(_ *testing.T, e *edge) {
			e.config.Bridged = true
			e.must("bring")
			e.start()
		}, "bring", []string{"another process"}},
		"TUN": {"the component gives it", func(_ *testing.T, e *edge) {
			e.config.Bridged = true
			e.must("hide")
		}, "bring", []string{"/dev/net/tun", "NET_ADMIN", "manifests/edge-wireguard"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t, "192.0.2.1", false)
			tc.make(t, e)
			got := e.do(tc.do)
			for _, want := range tc.want {
				if !strings.Contains(got.Err, want) {
					t.Errorf("the error %q lacks %q: %s", got.Err, want, tc.reason)
				}
			}
			if got.NoLink != (name == "Bridge") {
				t.Errorf("ErrNoLink: %v", got.NoLink)
			}
		})
	}
}

// The port that was another program's is opened once it is free, also where it is a new one.
func TestPortIsOpenedOnceItIsFree(t *testing.T) {
	a, b := sides(t)
	taken := in(a, func() (net.PacketConn, error) { return net.ListenPacket("udp4", ":51999") })
	a.config.Port, b.config.Port = 51999, 51999
	for range 2 {
		if got := a.do("bring"); got.Err == "" {
			t.Error("no word of a port that is another program's")
		}
	}
	taken.Close()
	b.bring()
	a.bring()
	pings(a, b)
}

func BenchmarkTCP(b *testing.B) {
	from, to := sides(b)
	text := make([]byte, 64<<20)
	b.SetBytes(int64(len(text)))
	var took time.Duration
	for b.Loop() {
		_, last := transfer(from, to, text)
		took += last
	}
	b.ReportMetric(8*float64(len(text))*float64(b.N)/took.Seconds()/1e6, "Mbit/s")
}
