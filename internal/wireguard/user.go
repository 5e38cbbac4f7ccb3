package wireguard

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"github.com/vishvananda/netlink"
	"golang.org/x/time/rate"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// sockets is where wgctrl and wg(8) look for devices that are no kernel's.
const sockets = "/var/run/wireguard"

// user is wireguard-go behind a TAP device.
type user struct {
	tap     *tap
	dev     *device.Device
	control net.Listener
	// index of the TAP device, and whether it is a port of Bridge.
	index   int
	bridged bool
	// deaf is closed when no one is answered any more at the socket.
	deaf chan struct{}
}

// startUser makes the device. It is up once it is configured.
func startUser(c Config, log logr.Logger) (*user, error) {
	t, err := newTAP(Link, Inside(c.Local), c.inner())
	if err != nil {
		return nil, err
	}
	u := &user{tap: t, bridged: c.Bridged, deaf: make(chan struct{})}
	link, err := setUpTAP(c)
	if err == nil {
		u.index = link.Attrs().Index
		u.control, err = listen()
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	u.dev = device.NewDevice(t, conn.NewDefaultBind(), logger(log))
	go u.serve()
	return u, nil
}

// setUpTAP gives the TAP device what it has before it is up. As a port of Bridge it is not
// to take what is sent to NearMAC: the node's own stack sees all that Open vSwitch sees.
func setUpTAP(c Config) (netlink.Link, error) {
	link, err := netlink.LinkByName(Link)
	if err != nil {
		return nil, fmt.Errorf("get TAP device %q: %w", Link, err)
	}
	mac := NearMAC
	if c.Bridged {
		mac = portMAC
	}
	if err := netlink.LinkSetHardwareAddr(link, mac); err != nil {
		return nil, fmt.Errorf("set MAC address of %q: %w", Link, err)
	}
	keepQuiet(link)
	return link, nil
}

// listen opens the socket by which the device is configured. A former run's is in the way.
func listen() (net.Listener, error) {
	path := filepath.Join(sockets, Link+".sock")
	err := os.MkdirAll(sockets, 0o700)
	if err == nil {
		// Whoever may write to the socket reads the private key: only root may.
		err = os.Chmod(sockets, 0o700)
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make room for WireGuard's socket: %w: %s must be a folder that l2sm-edge may write to", err, sockets)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open WireGuard's socket: %w", err)
	}
	return l, nil
}

func (u *user) serve() {
	defer close(u.deaf)
	for {
		c, err := u.control.Accept()
		if err != nil {
			return
		}
		go u.dev.IpcHandle(c)
	}
}

// works says whether the device is the link of that index, and still does its work: it ends
// by itself when someone else removes the link.
func (u *user) works(index int) bool {
	select {
	case <-u.dev.Wait():
		return false
	case <-u.deaf:
		return false
	default:
		return u.index == index
	}
}

// stop ends it. The TAP device stays.
func (u *user) stop() {
	// Whoever configures it is told no more.
	_ = u.control.Close()
	<-u.deaf
	u.dev.Close()
}

// logger bounds what is logged as errors: each packet may fail.
func logger(log logr.Logger) *device.Logger {
	often := rate.Sometimes{First: 10, Interval: 10 * time.Second}
	return &device.Logger{
		Verbosef: func(format string, args ...any) {
			if log := log.V(1); log.Enabled() {
				log.Info(fmt.Sprintf(format, args...))
			}
		},
		Errorf: func(format string, args ...any) {
			often.Do(func() { log.Error(fmt.Errorf(format, args...), "WireGuard") })
		},
	}
}
