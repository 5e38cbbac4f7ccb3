package wireguard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/tun"
)

// tap is a TAP device as wireguard-go wants a TUN device: packets of the frames that come
// from the node for FarMAC, and frames of the packets that go to it.
type tap struct {
	file *os.File
	raw  syscall.RawConn
	// own is this edge's address within the tunnel.
	own atomic.Pointer[netip.Addr]

	mu     sync.Mutex
	mtu    int
	closed bool
	events chan tun.Event
}

// clone is where TAP devices are made (Documentation/networking/tuntap.rst of Linux).
const clone = "/dev/net/tun"

// newTAP makes the device, or takes a former run's over: it stays when it is closed, and
// when this process ends. Open vSwitch hears nothing from a new device of the same name
// until its port is made again.
func newTAP(name string, own netip.Addr, mtu int) (*tap, error) {
	file, err := openTAP(name)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("make TAP device %q: %w: WireGuard without the kernel's needs the capability NET_ADMIN and the device %s, which component manifests/edge-wireguard gives l2sm-edge", name, err, clone)
	}
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("take over TAP device %q: %w: another process has it, such as an l2sm-edge that has not ended yet", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("make TAP device %q: %w", name, err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reach TAP device %q: %w", name, err), file.Close())
	}
	t := &tap{file: file, raw: raw, mtu: mtu, events: make(chan tun.Event, 1)}
	t.own.Store(&own)
	return t, nil
}

// openTAP opens the file as one that waits in the runtime's poller, once it is a device: a
// file that is none yet cannot be waited for.
func openTAP(name string) (*os.File, error) {
	fd, err := unix.Open(clone, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: clone, Err: err}
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = os.NewSyscallError("TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
	}
	if err == nil {
		err = os.NewSyscallError("TUNSETPERSIST", unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1))
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), clone), nil
}

// Read implements tun.Device: it waits for a frame, and takes those that are there then.
// What the node is answered, or has no business here, leaves no packet.
func (t *tap) Read(bufs [][]byte, sizes []int, offset int) (packets int, err error) {
	failed := t.raw.Read(func(fd uintptr) (done bool) {
		for range bufs {
			frame := bufs[packets][offset-headerLen:]
			n, readErr := read(int(fd), frame)
			if errors.Is(readErr, unix.EAGAIN) {
				return done
			}
			if readErr != nil {
				err = os.NewSyscallError("read", readErr)
				return true
			}
			done = true
			if size := t.take(int(fd), frame[:n]); size > 0 {
				sizes[packets] = size
				packets++
			}
		}
		return done
	})
	if failed != nil {
		err = t.gone(failed)
	}
	return packets, err
}

func read(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// take says how long the packet is that the frame brings for peers, and answers solicitations.
func (t *tap) take(fd int, frame []byte) int {
	if !hasIPv6(frame) {
		return 0
	}
	if solicits(frame) {
		if told := answer(frame, *t.own.Load()); told != nil {
			// Lost like any frame: the node asks again.
			_, _ = unix.Write(fd, told)
		}
		return 0
	}
	if !bytes.Equal(frame[:6], FarMAC) {
		return 0
	}
	return len(frame) - headerLen
}

// Write implements tun.Device. The header of each frame takes the place of WireGuard's,
// which stood before the packet.
func (t *tap) Write(bufs [][]byte, offset int) (int, error) {
	own := *t.own.Load()
	var written int
	var errs []error
	for _, b := range bufs {
		frame := b[offset-headerLen:]
		if !spoken(b[offset:], own) {
			continue
		}
		copy(frame, NearMAC)
		copy(frame[6:], FarMAC)
		binary.BigEndian.PutUint16(frame[12:], etherIPv6)
		if _, err := t.file.Write(frame); err != nil {
			errs = append(errs, err)
			continue
		}
		written++
	}
	return written, errors.Join(errs...)
}

// spoken says whether a peer may send the packet: to this edge, and nothing that only a
// neighbour on the link says (RFC 4861), by which it could lead away what goes to other
// peers. With a header between, as fragments have, it would not be seen what it is; edges
// send no such packets.
func spoken(packet []byte, own netip.Addr) bool {
	if len(packet) <= ipv6.HeaderLen || packet[0]>>4 != ipv6.Version || netip.AddrFrom16([16]byte(packet[24:40])) != own {
		return false
	}
	switch packet[6] {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP:
		return true
	case unix.IPPROTO_ICMPV6:
		kind := ipv6.ICMPType(packet[ipv6.HeaderLen])
		return kind < ipv6.ICMPTypeRouterSolicitation || kind > ipv6.ICMPTypeRedirect
	}
	return false
}

// gone has the end of a closed device be told as wireguard-go expects it.
func (t *tap) gone(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return os.ErrClosed
	}
	return err
}

// set tells wireguard-go of another MTU: it pads packets up to it.
func (t *tap) set(own netip.Addr, mtu int) {
	t.own.Store(&own)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.mtu == mtu {
		return
	}
	t.mtu = mtu
	select {
	case t.events <- tun.EventMTUUpdate:
	default: // one is on its way, and reads the MTU when it arrives
	}
}

// MTU implements tun.Device.
func (t *tap) MTU() (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mtu, nil
}

// Close implements tun.Device.
func (t *tap) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	close(t.events)
	return t.file.Close()
}

// File implements tun.Device.
func (t *tap) File() *os.File { return t.file }

// Name implements tun.Device.
func (t *tap) Name() (string, error) { return Link, nil }

// Events implements tun.Device.
func (t *tap) Events() <-chan tun.Event { return t.events }

// BatchSize implements tun.Device.
func (t *tap) BatchSize() int { return conn.IdealBatchSize }
