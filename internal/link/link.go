// Package link makes the interfaces of attachments: veth pairs of which one
// end is the pod's interface and the other, the host end, becomes a port of
// the node's integration bridge.
//
// A host end belongs to OVS alone: the node's own network stack must neither
// hear nor speak on it, or the node would be a member of every virtual network
// of its pods. On kernel datapaths OVS takes every frame before the stack sees
// it, once the host end is a port. On userspace datapaths OVS reads a packet tap
// and the stack sees each frame as well. isolate.go keeps it out of both.
package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Interface is how one interface of a pod looks.
type Interface struct {
	// Name in the pod, at most 15 characters.
	Name string
	MAC  net.HardwareAddr
	// MTU in bytes.
	MTU int
	// Addresses with the prefix lengths of their networks.
	Addresses []netip.Prefix
	// AcceptRA has the pod follow Router Advertisements; without it nobody on the
	// network gives the pod a route or an address.
	AcceptRA bool
	// Routes lets the pod send Router Advertisements.
	Routes bool
	// Quiet leaves a new interface without addresses, IPv6's own included, until
	// Speak: nothing is sent through it before OVN forwards it.
	Quiet bool
}

// Links makes and removes interfaces. The zero value is not usable; see New.
type Links struct {
	sysctls string
}

// New returns Links for the network namespace that the process runs in.
// sysctlRoot is where /proc/sys can be written: an unprivileged container's
// own is read-only. Below its net/, procfs shows the network namespace of the
// thread that opens a file, so that one mount serves the node and every pod.
func New(sysctlRoot string) *Links { return &Links{sysctls: sysctlRoot} }

// Datapath is what kind of OVS datapath a host end is made for.
type Datapath int

const (
	// Kernel is OVS' datapath_type system.
	Kernel Datapath = iota
	// Userspace is OVS' datapath_type netdev.
	Userspace
)

// Create makes a veth pair: the host end, isolated from the node and up, and
// the interface want in the network namespace at path netns, configured and
// up. It fails if either exists, with an error that matches os.ErrExist, and
// leaves nothing behind when it fails. A name that no interface can have gives
// an ErrName.
func (l *Links) Create(host HostEnd, netns string, want Interface, datapath Datapath) error {
	pod, err := ns.GetNS(netns)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", netns, err)
	}
	defer func() { _ = pod.Close() }()

	if err := l.create(host, pod, want, datapath); err != nil {
		return fmt.Errorf("make interface %q in %q: %w", want.Name, netns, err)
	}
	return nil
}

func (l *Links) create(host HostEnd, pod ns.NetNS, want Interface, datapath Datapath) error {
	if err := CheckName(want.Name); err != nil {
		return err
	}
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: host.Name, MTU: want.MTU, TxQLen: -1})
	pair.PeerName = want.Name
	pair.PeerHardwareAddr = want.MAC
	pair.PeerMTU = uint32(want.MTU)
	pair.PeerNamespace = netlink.NsFd(pod.Fd())
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("add veth pair with host end %q: %w", host.Name, err)
	}
	err := errors.Join(
		l.openHostEnd(host, pair, want, datapath),
		pod.Do(func(ns.NetNS) error { return l.configure(want, datapath) }),
	)
	if err != nil {
		return errors.Join(err, l.Delete(host.Name))
	}
	return nil
}

// openHostEnd brings the host end up only after the node is kept out of it.
func (l *Links) openHostEnd(host HostEnd, pair *netlink.Veth, want Interface, datapath Datapath) error {
	if err := netlink.LinkSetAlias(pair, host.Owner.alias()); err != nil {
		return fmt.Errorf("set alias of %q: %w", host.Name, err)
	}
	if err := l.isolate(host.Name, datapath); err != nil {
		return err
	}
	if datapath == Kernel && !want.Routes {
		if err := setRoutes(host.Name, nftables.ChainHookIngress, false); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		return fmt.Errorf("set %q up: %w", host.Name, err)
	}
	return nil
}

// configure finishes the pod's end; it runs in the pod's network namespace.
func (l *Links) configure(want Interface, datapath Datapath) error {
	inner, err := netlink.LinkByName(want.Name)
	if err != nil {
		return fmt.Errorf("get interface %q: %w", want.Name, err)
	}
	if datapath == Userspace {
		if err := disableChecksumOffload(want.Name); err != nil {
			return err
		}
		if !want.Routes {
			if err := setRoutes(want.Name, nftables.ChainHookEgress, false); err != nil {
				return err
			}
		}
	}
	if err := l.skipDAD(want.Name); err != nil {
		return err
	}
	if err := l.setAcceptRA(want.Name, AcceptRA(want.AcceptRA)); err != nil {
		return err
	}
	address := func() error { return l.addAddresses(inner, want.Addresses) }
	if want.Quiet {
		address = func() error { return l.silenceIPv6(want.Name) }
	}
	if err := address(); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(inner); err != nil {
		return fmt.Errorf("set interface %q up: %w", want.Name, err)
	}
	return nil
}

// addAddresses skips duplicate address detection: the controller gives an
// address to one attachment only, and a pod must not wait a second for it.
func (l *Links) addAddresses(inner netlink.Link, addresses []netip.Prefix) error {
	name := inner.Attrs().Name
	for _, a := range addresses {
		addr := &netlink.Addr{IPNet: ipNet(a)}
		if a.Addr().Is6() {
			// Runtimes disable IPv6 in the pods of IPv4 clusters.
			if err := l.setDisableIPv6(name, false); err != nil {
				return err
			}
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(inner, addr); err != nil {
			return fmt.Errorf("add address %s to interface %q: %w", a, name, err)
		}
	}
	return nil
}

// Delete removes a host end and with it the pod's interface. What does not
// exist is deleted already.
func (l *Links) Delete(host string) error {
	return errors.Join(deleteLink(host), admitHost(host))
}

func deleteLink(host string) error {
	end, err := netlink.LinkByName(host)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get host end %q: %w", host, err)
	}
	// A pod's end of life takes the pair along at any time.
	if err := netlink.LinkDel(end); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete host end %q: %w", host, err)
	}
	return nil
}

// Inspect reads how the interface looks in the network namespace at path
// netns. Link-local IPv6 addresses, which the kernel makes, are left out. An
// interface or namespace that does not exist gives an error that matches
// os.ErrNotExist.
func Inspect(netns, name string) (Interface, error) {
	var is Interface
	err := inNamespace(netns, func() (err error) {
		is, err = inspect(name)
		return err
	})
	return is, err
}

func inspect(name string) (Interface, error) {
	link, err := byName(name)
	if err != nil {
		return Interface{}, err
	}
	addresses, err := addressesOf(link)
	if err != nil {
		return Interface{}, err
	}
	is := Interface{Name: name, MAC: link.Attrs().HardwareAddr, MTU: link.Attrs().MTU}
	for _, a := range addresses {
		if !a.Addr().Is6() || !a.Addr().IsLinkLocalUnicast() {
			is.Addresses = append(is.Addresses, a)
		}
	}
	return is, nil
}

// byName is netlink's, with an error that matches os.ErrNotExist.
func byName(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if isNotFound(err) {
		return nil, fmt.Errorf("get interface %q: %w", name, os.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("get interface %q: %w", name, err)
	}
	return link, nil
}

// inNamespace runs f on a thread in the network namespace at path netns.
func inNamespace(netns string, f func() error) error {
	err := ns.WithNetNSPath(netns, func(ns.NetNS) error { return f() })
	var missing ns.NSPathNotExistErr
	if errors.As(err, &missing) {
		return fmt.Errorf("open network namespace %q: %w", netns, os.ErrNotExist)
	}
	return err
}

// Whole repeats a listing of netlink's that changed while the kernel wrote it, as happens
// while other pods come and go.
func Whole[T any](list func() ([]T, error)) ([]T, error) {
	const tries = 100
	all, err := list()
	for try := 1; try < tries && errors.Is(err, netlink.ErrDumpInterrupted); try++ {
		all, err = list()
	}
	return all, err
}

func isNotFound(err error) bool {
	var missing netlink.LinkNotFoundError
	return errors.As(err, &missing)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefix(n *net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
