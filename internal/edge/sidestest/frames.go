package sidestest

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

// etherType is IEEE 802's for experiments: nothing else sends such frames.
const etherType = 0x88b5

// Broadcast is every interface's MAC address.
var Broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Frame is one of the tests' own, with a mark that tells it from others.
func Frame(to, from net.HardwareAddr, mark uint32) []byte {
	f := append(append(make([]byte, 0, 64), to...), from...)
	f = binary.BigEndian.AppendUint16(f, etherType)
	return append(binary.BigEndian.AppendUint32(f, mark), make([]byte, 46)...)
}

// Send sends frames as they are.
func (p *Pod) Send(frames ...[]byte) {
	t := p.Node.Side.world.t
	t.Helper()
	socket := rawSocket(t, p.NetNS, device, 0)
	defer func() { _ = unix.Close(socket) }()
	for _, frame := range frames {
		if _, err := unix.Write(socket, frame); err != nil {
			t.Fatalf("send a frame from %s: %v", p.Port, err)
		}
	}
}

// Ear counts the tests' frames that arrive at a pod.
type Ear struct {
	mu     sync.Mutex
	copies map[uint32]int
}

// Hear begins to count; it goes on until the test ends.
func (p *Pod) Hear() *Ear {
	t := p.Node.Side.world.t
	t.Helper()
	e := &Ear{copies: map[uint32]int{}}
	receive(t, rawSocket(t, p.NetNS, device, etherType), func(frame []byte, kind uint8) {
		if kind == unix.PACKET_OUTGOING || len(frame) < 18 || binary.BigEndian.Uint16(frame[12:]) != etherType {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.copies[binary.BigEndian.Uint32(frame[14:])]++
	})
	return e
}

// Copies is how many of the mark arrived.
func (e *Ear) Copies(mark uint32) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.copies[mark]
}

// All is how many arrived of all marks.
func (e *Ear) All() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := 0
	for _, n := range e.copies {
		sum += n
	}
	return sum
}

// Capture hands over every frame that crosses the wide area network, until the test ends:
// what an outsider sees.
func (w *World) Capture(see func(frame []byte)) {
	w.t.Helper()
	socket := rawSocket(w.t, "/proc/thread-self/ns/net", w.WAN.Name(), unix.ETH_P_ALL)
	// A bridge hands over what it forwards only where all is asked for.
	all := &unix.PacketMreq{Ifindex: int32(w.WAN.Index()), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(socket, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, all); err != nil {
		w.t.Fatal(err)
	}
	receive(w.t, socket, func(frame []byte, _ uint8) { see(frame) })
}

// rawSocket opens a socket on an interface of a network namespace, which takes frames of
// one type, or none.
func rawSocket(t testing.TB, netns, device string, protocol uint16) int {
	t.Helper()
	var socket int
	nstest.Do(t, netns, func() (err error) {
		is, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		network := binary.BigEndian.AppendUint16(nil, protocol)
		protocol := binary.NativeEndian.Uint16(network)
		if socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		// A burst that the test does not read at once must not be lost by the socket.
		if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<24); err != nil {
			return err
		}
		return unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: is.Index})
	})
	return socket
}

// receive reads the socket until the test ends, and closes it.
func receive(t testing.TB, socket int, take func(frame []byte, kind uint8)) {
	t.Helper()
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(end); <-ended })
	go func() {
		defer close(ended)
		defer func() { _ = unix.Close(socket) }()
		buf := make([]byte, 1<<16)
		for {
			select {
			case <-end:
				return
			default:
			}
			n, from, err := unix.Recvfrom(socket, buf, 0)
			if err != nil {
				continue // the time-out, after which the test may have ended
			}
			if link, ok := from.(*unix.SockaddrLinklayer); ok {
				take(buf[:n], link.Pkttype)
			}
		}
	}()
}
