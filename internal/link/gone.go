package link

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// EachGone calls gone with the name of each host end that goes: a pod's network
// namespace takes them along, and Open vSwitch need not notice. It returns when
// ctx ends, and when the kernel had more to tell than could be taken.
func (l *Links) EachGone(ctx context.Context, gone func(host string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(updates, ctx.Done()); err != nil {
		return fmt.Errorf("subscribe to links: %w", err)
	}
	for update := range updates {
		if end, ours := hostEnd(update.Link); ours && update.Header.Type == unix.RTM_DELLINK {
			gone(end.Name)
		}
	}
	return nil
}
