package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"

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

	// told is what was last complained of.
	told link.Holder
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
	var ip netip.Addr
	var found link.Holder
	for {
		changed := u.ovs.Changed()
		if encap, err := u.ovs.EncapIP(ctx); err == nil && encap != ip {
			ip = encap
			found = u.look(ctx, ip)
		}
		select {
		case update, open := <-links:
			if !open {
				return nil
			}
			if int(update.Index) == found.Index {
				found = u.look(ctx, ip)
			}
		case update, open := <-addrs:
			if !open {
				return nil
			}
			if addressOf(update.LinkAddress) == ip {
				found = u.look(ctx, ip)
			}
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// look finds the interface and complains of it, once for each state.
func (u *underlay) look(ctx context.Context, ip netip.Addr) link.Holder {
	found, err := link.HolderOf(ip)
	if err != nil {
		u.log.Info("Could not look at the tunnel interface", "address", ip.String(), "error", err.Error())
		return link.Holder{}
	}
	if found.Index == 0 || found.MTU >= u.want {
		u.told = link.Holder{}
		return found
	}
	if found == u.told {
		return found
	}
	u.told = found
	complaint := v1alpha1.UnderlayMTUEvent(found.Name, found.MTU, u.want)
	u.log.Info(complaint.Message, "interface", found.Name)
	u.complain(ctx, complaint)
	return found
}

func addressOf(n net.IPNet) netip.Addr {
	addr, _ := netip.AddrFromSlice(n.IP)
	return addr.Unmap()
}
