package wireguard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	links "l2sm.io/l2sm/internal/link" // link is a name of variables here
)

// Address gives the link that carries them, Bridge or Link, its MTU, its address and the
// routes to the peers', takes those away that are not wanted, and sets it up. Before, it
// keeps peers from what is not theirs (TableName). The error matches ErrNoLink while the
// link is not there.
func (d *Device) Address(ctx context.Context, c Config) error {
	if err := errors.Join(ctx.Err(), c.check()); err != nil {
		return fmt.Errorf("address WireGuard: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := Link
	if c.Bridged {
		name = Bridge
	}
	link, err := find(name)
	if err != nil {
		return err
	}
	if link == nil {
		return fmt.Errorf("address %q: %w", name, ErrNoLink)
	}
	if err := setMTU(link, c.inner()); err != nil {
		return err
	}
	if c.Bridged {
		keepQuiet(link)
	}
	if err := setUp(link); err != nil {
		return err
	}
	own := Inside(c.Local)
	if err := guard(own, cmp.Or(c.BGP, 179)); err != nil {
		return err
	}
	if err := address(link, own); err != nil {
		return err
	}
	wanted := map[netip.Addr]bool{}
	for _, p := range c.Peers {
		wanted[Inside(p.Endpoint)] = true
	}
	delete(wanted, own)
	return route(link, own, wanted)
}

// address leaves own as the link's one address within the tunnel. It is used at once:
// nobody else can have it. Its prefix holds the peers' as well, or Open vSwitch would have
// no source for its tunnels to them (ovs-router), and makes no route: those are route's.
func address(link netlink.Link, own netip.Addr) error {
	name := link.Attrs().Name
	all, err := links.Whole(func() ([]netlink.Addr, error) { return netlink.AddrList(link, unix.AF_INET6) })
	if err != nil {
		return fmt.Errorf("list addresses of %q: %w", name, err)
	}
	var has bool
	for _, a := range all {
		is := prefixOf(a.IPNet)
		switch {
		case is == netip.PrefixFrom(own, Within.Bits()):
			has = true
		case Within.Contains(is.Addr()):
			if err := netlink.AddrDel(link, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
				return fmt.Errorf("delete address %s of %q: %w", is, name, err)
			}
		}
	}
	if has {
		return nil
	}
	mask := net.CIDRMask(Within.Bits(), own.BitLen())
	err = netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: own.AsSlice(), Mask: mask}, Flags: unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE})
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("add address %s to %q: %w: addresses within WireGuard are IPv6, whatever the node has: enable it there, at least for this link (sysctl net.ipv6.conf.default.disable_ipv6=0 and net.ipv6.conf.%s.disable_ipv6=0, and no ipv6.disable=1 on the kernel's command line)",
			own, name, err, name)
	}
	if err != nil {
		return fmt.Errorf("add address %s to %q: %w", own, name, err)
	}
	return nil
}

// route leaves routes to the wanted addresses as the only ones through the link.
func route(link netlink.Link, own netip.Addr, wanted map[netip.Addr]bool) error {
	name := link.Attrs().Name
	has, err := routes(link)
	if err != nil {
		return err
	}
	for _, r := range has {
		to := prefixOf(r.Dst)
		if to.IsSingleIP() && wanted[to.Addr()] && r.Src.Equal(own.AsSlice()) {
			delete(wanted, to.Addr())
			continue
		}
		if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("delete route to %s through %q: %w", to, name, err)
		}
	}
	for to := range wanted {
		r := netlink.Route{LinkIndex: link.Attrs().Index, Dst: host(to), Src: own.AsSlice(), Protocol: unix.RTPROT_STATIC}
		if err := netlink.RouteReplace(&r); err != nil {
			return fmt.Errorf("add route to %s through %q: %w", to, name, err)
		}
	}
	return nil
}

// routes are those through the link to addresses within tunnels. The kernel's own, of the
// link's address, come and go with that.
func routes(link netlink.Link) ([]netlink.Route, error) {
	all, err := links.Whole(func() ([]netlink.Route, error) { return netlink.RouteList(link, unix.AF_INET6) })
	if err != nil {
		return nil, fmt.Errorf("list routes through %q: %w", link.Attrs().Name, err)
	}
	var ours []netlink.Route
	for _, r := range all {
		if r.Dst != nil && r.Protocol != unix.RTPROT_KERNEL && Within.Contains(prefixOf(r.Dst).Addr()) {
			ours = append(ours, r)
		}
	}
	return ours, nil
}

// clearBridge takes from Bridge what Address gave it.
func clearBridge() error {
	link, err := find(Bridge)
	if link == nil || err != nil {
		return err
	}
	if err := route(link, netip.Addr{}, nil); err != nil {
		return err
	}
	all, err := links.Whole(func() ([]netlink.Addr, error) { return netlink.AddrList(link, unix.AF_INET6) })
	if err != nil {
		return fmt.Errorf("list addresses of %q: %w", Bridge, err)
	}
	for _, a := range all {
		if !Within.Contains(prefixOf(a.IPNet).Addr()) {
			continue
		}
		if err := netlink.AddrDel(link, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("delete address %s of %q: %w", a.IPNet, Bridge, err)
		}
	}
	return nil
}

func prefixOf(n *net.IPNet) netip.Prefix {
	a, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(a, bits)
}
