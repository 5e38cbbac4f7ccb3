package wireguard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"github.com/go-logr/logr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl"
)

// Device is the WireGuard device of this node. Its methods may be called at once.
type Device struct {
	log logr.Logger

	mu sync.Mutex
	// user is nil where the device is the kernel's, or not there.
	user   *user
	kernel bool
	// config is what was brought last.
	config *Config
}

// New returns the device without making it.
func New(log logr.Logger) *Device { return &Device{log: log} }

// Bring makes the device, and brings its key, port and peers in line. What is right stays
// as it is: no session is interrupted by a call that changes nothing of it. Where two
// endpoints list one key, it is the first one's, in the order of addresses: the rest is
// done, and the error is, or holds (errors.As), a SharedKeyError.
func (d *Device) Bring(ctx context.Context, c Config) error {
	if err := errors.Join(ctx.Err(), c.check()); err != nil {
		return fmt.Errorf("bring up WireGuard: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = &c
	link, err := d.ensure(c)
	if err != nil {
		return err
	}
	if err := setMTU(link, c.inner()); err != nil {
		return err
	}
	if d.user != nil {
		d.user.tap.set(Inside(c.Local), c.inner())
	}
	p, err := d.configure(c, nil)
	if err != nil {
		return err
	}
	if err := d.up(link, c); err != nil {
		return err
	}
	return p.shared
}

// ensure makes the device, unless it is there. A former run's stays if it is the kernel's,
// whose sessions go on, or a port of Bridge.
func (d *Device) ensure(c Config) (netlink.Link, error) {
	link, err := find(Link)
	if err != nil {
		return nil, err
	}
	if link != nil {
		switch {
		case d.user != nil && d.user.bridged == c.Bridged && d.user.works(link.Attrs().Index):
			return link, nil
		case !c.Bridged && link.Type() == kindKernel:
			d.drop()
			d.kernel = true
			return link, nil
		}
	}
	if c.Bridged && isPort(link) {
		d.drop()
	} else if err := d.remove(); err != nil {
		return nil, err
	}
	if !c.Bridged {
		made, err := addKernel(c)
		if err != nil {
			return nil, err
		}
		d.kernel = made
	}
	if !d.kernel {
		if d.user, err = startUser(c, d.log); err != nil {
			return nil, err
		}
	}
	return netlink.LinkByName(Link)
}

// isPort says whether the link is a TAP device that was made to be a port of Bridge.
func isPort(link netlink.Link) bool {
	t, ok := link.(*netlink.Tuntap)
	return ok && t.Mode == netlink.TUNTAP_MODE_TAP && bytes.Equal(t.HardwareAddr, portMAC)
}

// kindKernel is the type of the kernel's device (rtnetlink).
const kindKernel = "wireguard"

// addKernel makes the kernel's device, and says whether the kernel has any.
func addKernel(c Config) (bool, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = Link, c.inner()
	err := netlink.LinkAdd(&netlink.Wireguard{LinkAttrs: attrs})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return false, nil
	}
	if errors.Is(err, os.ErrPermission) {
		return false, fmt.Errorf("add link %q: %w: WireGuard needs the capability NET_ADMIN, which component manifests/edge-wireguard gives l2sm-edge", Link, err)
	}
	if err != nil {
		return false, fmt.Errorf("add link %q: %w", Link, err)
	}
	return true, nil
}

// configure writes what differs.
func (d *Device) configure(c Config, silent []netip.Addr) (p plan, err error) {
	client, err := wgctrl.New()
	if err != nil {
		return p, fmt.Errorf("reach WireGuard: %w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	is, err := client.Device(Link)
	if err != nil {
		return p, fmt.Errorf("read WireGuard device %q: %w", Link, err)
	}
	if p = decide(is, c, silent); p.empty() {
		return p, nil
	}
	if err := client.ConfigureDevice(Link, p.change); err != nil {
		err = fmt.Errorf("configure WireGuard device %q: %w", Link, err)
		if p.change.ListenPort != nil {
			err = fmt.Errorf("%w: is UDP port %d another program's?", err, c.Port)
		}
		return p, err
	}
	return p, nil
}

// up opens the UDP port as well.
func (d *Device) up(link netlink.Link, c Config) error {
	err := setUp(link)
	if err == nil && d.user != nil {
		err = d.user.dev.Up()
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("open UDP port %d for WireGuard: %w: it is another program's", c.Port, err)
	}
	return err
}

// Choose has each of the silent endpoints sent to with that of its keys which has shaken
// hands last. It says whether that is another than before for any.
func (d *Device) Choose(ctx context.Context, silent []netip.Addr) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == nil || ctx.Err() != nil {
		return false, ctx.Err()
	}
	p, err := d.configure(*d.config, silent)
	return p.switched, err
}

// Remove takes the device away, with all that Address gave.
func (d *Device) Remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = nil
	return errors.Join(d.remove(), clearBridge(), unguard())
}

func (d *Device) remove() error {
	d.drop()
	link, err := find(Link)
	if link == nil || err != nil {
		return err
	}
	err = netlink.LinkDel(link)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("delete link %[1]q, which a former run has left: %[2]w: run `ip link delete %[1]s` on this node, or give l2sm-edge the capability NET_ADMIN (component manifests/edge-wireguard) for as long as it takes", Link, err)
	case err != nil && !errors.Is(err, unix.ENODEV):
		return fmt.Errorf("delete link %q: %w", Link, err)
	}
	return nil
}

// drop ends what this process does of it.
func (d *Device) drop() {
	d.kernel = false
	if d.user != nil {
		d.user.stop()
		d.user = nil
	}
}

// Kernel says whether the device is the kernel's.
func (d *Device) Kernel() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kernel
}
