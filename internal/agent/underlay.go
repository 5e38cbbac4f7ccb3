package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/go-logr/logr"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// underlay checks that the interface that tunnels leave by carries what the
// cluster's UNDERLAY_MTU promises: OVS drops what does not fit, silently.
type underlay struct {
	log logr.Logger
	// complain tells the cluster; it must return quickly.
	complain func(context.Context, v1alpha1.Event)
	ovs      *ovs.Client
	// want is UNDERLAY_MTU, in bytes.
	want int

	// seen is called with the tunnels' addresses and the interfaces that hold them.
	seen func([]netip.Addr, []link.Holder)

	// told are those that were last complained of.
	told []link.Holder
}

// run looks at start, when the tunnels' address changes, and when the
// interface does, until ctx ends.
func (u *underlay) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := u.follow(ctx); err != nil {
			return err
		}
	}
	return nil
}

// follow returns when ctx ends, and when the kernel had more to tell than the
// subscription could take.
func (u *underlay) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	links := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(links, ctx.Done()); err != nil {
		return fmt.Errorf("subscribe to links: %w", err)
	}
	addrs := make(chan netlink.AddrUpdate)
	if err := netlink.AddrSubscribe(addrs, ctx.Done()); err != nil {
		return fmt.Errorf("subscribe to addresses: %w", err)
	}
	var ips []netip.Addr
	var found []link.Holder
	for {
		changed := u.ovs.Changed()
		if encap, err := u.ovs.EncapIPs(ctx); err == nil && !slices.Equal(encap, ips) {
			ips = encap
			found = u.look(ctx, ips)
		}
		select {
		case update, open := <-links:
			if !open {
				return nil
			}
			if slices.ContainsFunc(found, func(h link.Holder) bool { return h.Index == int(update.Index) }) {
				found = u.look(ctx, ips)
			}
		case update, open := <-addrs:
			if !open {
				return nil
			}
			if slices.Contains(ips, addressOf(update.LinkAddress)) {
				found = u.look(ctx, ips)
			}
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// look finds the interfaces and complains of them, once for each state.
func (u *underlay) look(ctx context.Context, ips []netip.Addr) []link.Holder {
	var found, narrow []link.Holder
	for _, ip := range ips {
		holder, err := link.HolderOf(ip)
		if err != nil {
			u.log.Info("Could not look at the tunnel interface", "address", ip.String(), "error", err.Error())
			return found
		}
		if holder.Index == 0 {
			continue
		}
		found = append(found, holder)
		if holder.MTU >= u.want {
			continue
		}
		narrow = append(narrow, holder)
		if !slices.Contains(u.told, holder) {
			complaint := v1alpha1.UnderlayMTUEvent(holder.Name, holder.MTU, u.want)
			u.log.Info(complaint.Message, "interface", holder.Name)
			u.complain(ctx, complaint)
		}
	}
	u.told = narrow
	u.seen(ips, found)
	return found
}

// arrivals are the interfaces by which tunnels' packets come in, for a firewall:
// none where any may be one, since an address that is held by no interface that
// receives is reached by others. It says nothing while there is no address.
func arrivals(found []link.Holder) (interfaces []string, known bool) {
	for _, h := range found {
		if h.Local {
			return nil, true
		}
		interfaces = append(interfaces, h.Arrivals()...)
	}
	slices.Sort(interfaces)
	return slices.Compact(interfaces), len(interfaces) > 0
}

func addressOf(n net.IPNet) netip.Addr {
	addr, _ := netip.AddrFromSlice(n.IP)
	return addr.Unmap()
}
