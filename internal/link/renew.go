package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Renew makes an interface known where it is now, after the segment behind it
// was exchanged: it forgets what the pod knows of its neighbours, who are
// others now, and announces all of the interface's addresses, those included
// that the pod has given itself. An interface or namespace that does not exist
// gives an error that matches os.ErrNotExist.
func Renew(netns, name string) error {
	err := inNamespace(netns, func() error { return renew(name) })
	if err != nil {
		return fmt.Errorf("renew interface %q: %w", name, err)
	}
	return nil
}

// renew forgets first: until then the pod sends to neighbours that are gone.
func renew(name string) error {
	link, err := byName(name)
	if err != nil {
		return err
	}
	if err := forgetNeighbours(link); err != nil {
		return err
	}
	addresses, err := addressesOf(link)
	if err != nil {
		return err
	}
	frames, err := announcements(Interface{Name: name, MAC: link.Attrs().HardwareAddr, Addresses: addresses})
	if err != nil || len(frames) == 0 {
		return err
	}
	return send(name, frames)
}

// forgetNeighbours leaves what a user wrote by hand, and what needs no
// resolution, such as multicast.
func forgetNeighbours(link netlink.Link) error {
	var errs []error
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		neighbours, err := Whole(func() ([]netlink.Neigh, error) { return netlink.NeighList(link.Attrs().Index, family) })
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		for _, n := range neighbours {
			if n.State&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) != 0 {
				continue
			}
			if err := netlink.NeighDel(&n); err != nil && !errors.Is(err, unix.ENOENT) {
				errs = append(errs, fmt.Errorf("forget neighbour %s: %w", n.IP, err))
			}
		}
	}
	return errors.Join(errs...)
}

// addressesOf lists all addresses of an interface, link-local ones too.
func addressesOf(link netlink.Link) ([]netip.Prefix, error) {
	addrs, err := Whole(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of interface %q: %w", link.Attrs().Name, err)
	}
	var all []netip.Prefix
	for _, a := range addrs {
		all = append(all, prefix(a.IPNet))
	}
	return all, nil
}

// SetMTU sets the MTU, in bytes, of both ends of an interface. The wider end
// is never the pod's: what it sends must fit. What does not exist gives an
// error that matches os.ErrNotExist.
func (l *Links) SetMTU(host, netns, name string, mtu int) error {
	outer, err := byName(host)
	if err != nil {
		return err
	}
	inner := func() error { return inNamespace(netns, func() error { return setMTU(name, mtu) }) }
	ends := []func() error{inner, func() error { return netlink.LinkSetMTU(outer, mtu) }}
	if mtu > outer.Attrs().MTU {
		ends[0], ends[1] = ends[1], ends[0]
	}
	for _, set := range ends {
		if err := set(); err != nil {
			return fmt.Errorf("set MTU %d on interface %q: %w", mtu, name, err)
		}
	}
	return nil
}

func setMTU(name string, mtu int) error {
	link, err := byName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetMTU(link, mtu)
}

// Made says whether Create came to its end with the interface: bringing it up
// is the last that it does.
func Made(netns string, want Interface) (bool, error) {
	made := false
	err := inNamespace(netns, func() error {
		link, err := byName(want.Name)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		is := link.Attrs()
		made = is.Flags&net.FlagUp != 0 && is.HardwareAddr.String() == want.MAC.String()
		return nil
	})
	return made, err
}
