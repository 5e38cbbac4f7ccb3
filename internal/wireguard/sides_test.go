//go:build integration

package wireguard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

const (
	port = 51820
	mtu  = 1500
	// outside is an edge's link to the other.
	outside = "eth0"
)

// sides are two edges on one link, each of which is the other's peer.
func sides(t testing.TB, bridged ...bool) (a, b *edge) {
	t.Helper()
	bridged = append(bridged, false, false)
	a, b = newEdge(t, "192.0.2.1", bridged[0]), newEdge(t, "192.0.2.2", bridged[1])
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: "a", MTU: mtu, TxQLen: -1})
	pair.PeerName = "b"
	if err := netlink.LinkAdd(pair); err != nil {
		t.Fatal(err)
	}
	a.join("a")
	b.join("b")
	a.peer(b)
	b.peer(a)
	a.bring()
	b.bring()
	return a, b
}

func newEdge(t testing.TB, out string, bridged bool) *edge {
	t.Helper()
	e := &edge{t: t, netns: nstest.NewNS(t), out: netip.MustParseAddr(out), key: mustGenerate(t)}
	e.config = Config{Local: e.out, Port: port, MTU: mtu, Bridged: bridged}
	e.start()
	return e
}

// join gives the edge the link outside, on which it speaks no IPv6.
func (e *edge) join(name string) {
	e.t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		e.t.Fatal(err)
	}
	ns, err := os.Open(e.netns)
	if err != nil {
		e.t.Fatal(err)
	}
	defer ns.Close()
	if err := netlink.LinkSetNsFd(link, int(ns.Fd())); err != nil {
		e.t.Fatal(err)
	}
	nstest.Do(e.t, e.netns, func() error {
		if link, err = netlink.LinkByName(name); err != nil {
			return err
		}
		keepQuiet(link)
		return errors.Join(
			netlink.LinkSetName(link, outside),
			netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: e.out.AsSlice(), Mask: net.CIDRMask(24, 32)}}),
			netlink.LinkSetUp(link),
		)
	})
}

func (e *edge) peer(others ...*edge) {
	for _, o := range others {
		e.config.Peers = append(e.config.Peers, Peer{Endpoint: o.out, Keys: []Key{o.key.Public()}})
	}
}

// bring has all be as the configuration says.
func (e *edge) bring() {
	e.t.Helper()
	r := e.must("bring")
	if want := onKernel() && !e.config.Bridged; r.Kernel != want {
		e.t.Fatalf("the device is the kernel's: %v, want %v", r.Kernel, want)
	}
	if e.config.Bridged {
		e.bridge()
	}
	e.must("address")
}

// bridge has the device be a port of Bridge: here the kernel's bridge, which carries the
// same frames as Open vSwitch's.
func (e *edge) bridge() {
	e.t.Helper()
	nstest.Do(e.t, e.netns, func() error {
		bridge, err := find(Bridge)
		if bridge == nil && err == nil {
			err = netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Bridge, HardwareAddr: NearMAC, TxQLen: -1}})
		}
		if err != nil {
			return err
		}
		if bridge, err = netlink.LinkByName(Bridge); err != nil {
			return err
		}
		device, err := netlink.LinkByName(Link)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(device, bridge)
	})
}

// in runs f in the edge's network namespace and returns what it returns.
func in[T any](e *edge, f func() (T, error)) (got T) {
	e.t.Helper()
	nstest.Do(e.t, e.netns, func() (err error) {
		got, err = f()
		return err
	})
	return got
}

func (e *edge) inside() netip.Addr { return Inside(e.out) }

// stream is datagrams that go from one edge to another and back.
type stream struct {
	conn   net.Conn
	server net.PacketConn
	stop   chan struct{}
	done   sync.WaitGroup

	mu    sync.Mutex
	heard map[int]bool
	// sent counts, and began is the first that was sent when all flowed: those before may
	// have waited in vain for the sides to shake hands.
	sent, began int
}

// pings sends one every 10 ms until it is stopped.
func pings(from, to *edge) *stream {
	from.t.Helper()
	s := &stream{stop: make(chan struct{}), heard: map[int]bool{}}
	s.server = in(to, func() (net.PacketConn, error) {
		return net.ListenPacket("udp", netip.AddrPortFrom(to.inside(), vxlanPort).String())
	})
	s.conn = in(from, func() (net.Conn, error) {
		// What comes back is for the port as well: VXLAN's, which peers may send to.
		d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.inside(), vxlanPort))}
		return d.Dial("udp", netip.AddrPortFrom(to.inside(), vxlanPort).String())
	})
	from.t.Cleanup(s.close)
	go s.echo()
	go s.hear()
	s.done.Go(s.send)
	s.flows(from.t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = s.sent
	return s
}

func (s *stream) send() {
	for {
		s.mu.Lock()
		// Refused where the way is closed for a moment: lost, then.
		_, _ = s.conn.Write(binary.BigEndian.AppendUint32(nil, uint32(s.sent)))
		s.sent++
		s.mu.Unlock()
		select {
		case <-s.stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *stream) echo() {
	b := make([]byte, 100)
	for {
		n, who, err := s.server.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		_, _ = s.server.WriteTo(b[:n], who)
	}
}

func (s *stream) hear() {
	b := make([]byte, 100)
	for {
		n, err := s.conn.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if n == 4 {
			s.mu.Lock()
			s.heard[int(binary.BigEndian.Uint32(b))] = true
			s.mu.Unlock()
		}
	}
}

func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

// flows waits until some more have come back.
func (s *stream) flows(t testing.TB) {
	t.Helper()
	gomega.NewWithT(t).Eventually(s.count, patience, "5ms").Should(gomega.BeNumerically(">=", s.count()+5), "datagrams that came back")
}

// lost are those that have not come back.
func (s *stream) lost() (missing []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := s.began; n < s.sent; n++ {
		if !s.heard[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

// all ends it, and fails if any is lost.
func (s *stream) all(t testing.TB) {
	t.Helper()
	s.halt()
	gomega.NewWithT(t).Eventually(s.lost, patience, "5ms").Should(gomega.BeEmpty(), "datagrams that did not come back, of %d", s.sent)
	s.close()
}

// halt sends no more.
func (s *stream) halt() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.done.Wait()
}

func (s *stream) close() {
	s.halt()
	_ = s.conn.Close()
	_ = s.server.Close()
}

// transfer sends bytes over TCP, and says what arrived and how long it took.
func transfer(from, to *edge, text []byte) (got []byte, took time.Duration) {
	from.t.Helper()
	server := in(to, func() (net.Listener, error) {
		return net.Listen("tcp", netip.AddrPortFrom(to.inside(), 179).String())
	})
	defer server.Close()
	arrived := make(chan []byte, 1)
	go func() {
		c, err := server.Accept()
		if err != nil {
			arrived <- nil
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		arrived <- b
	}()
	var c net.Conn
	// An address that is new answers for some milliseconds that there is no route to it.
	gomega.NewWithT(from.t).Eventually(func() (err error) {
		return in(from, func() (error, error) {
			c, err = net.DialTimeout("tcp", server.Addr().String(), patience)
			return err, nil
		})
	}, patience, "5ms").Should(gomega.Succeed())
	begin := time.Now()
	_, err := c.Write(text)
	if err := errors.Join(err, c.Close()); err != nil {
		from.t.Fatal(err)
	}
	got = <-arrived
	return got, time.Since(begin)
}

// capture is what passes outside.
type capture struct {
	conn *packet.Conn
	done sync.WaitGroup

	frames, odd int
	clear       bool
	err         error
}

// watch looks at all frames on the edge's link outside, for one that holds the text.
func watch(e *edge, text []byte) *capture {
	e.t.Helper()
	c := &capture{}
	c.conn = in(e, func() (*packet.Conn, error) {
		link, err := net.InterfaceByName(outside)
		if err != nil {
			return nil, err
		}
		return packet.Listen(link, packet.Raw, unix.ETH_P_ALL, nil)
	})
	c.done.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, _, err := c.conn.ReadFrom(b)
			if err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					c.err = err
				}
				return
			}
			c.frames++
			if !encrypted(b[:n]) {
				c.odd++
			}
			c.clear = c.clear || bytes.Contains(b[:n], text)
		}
	})
	return c
}

// encrypted says whether the frame is of WireGuard, or of ARP, without which there is none.
func encrypted(frame []byte) bool {
	const udp = 17
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_ARP:
		return true
	case unix.ETH_P_IP:
		ip := frame[headerLen:]
		payload := ip[4*int(ip[0]&15):]
		return ip[9] == udp && binary.BigEndian.Uint16(payload) == port && binary.BigEndian.Uint16(payload[2:]) == port
	}
	return false
}

func (c *capture) end() error {
	// For what waits to be read.
	_ = c.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	c.done.Wait()
	_ = c.conn.Close()
	switch {
	case c.err != nil:
		return c.err
	case c.frames == 0:
		return errors.New("no frames")
	case c.odd > 0 || c.clear:
		return fmt.Errorf("of %d frames %d are not WireGuard's, one has the text: %v", c.frames, c.odd, c.clear)
	}
	return nil
}
