package zone

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"l2sm.io/l2sm/ovn"
)

// chassis keeps the chassis of the nodes that have members of this node's
// networks: ovn-controller makes its tunnels to those.
type chassis struct {
	*Writer
	wake chan struct{} // has room for one
}

func newChassis(w *Writer) *chassis { return &chassis{Writer: w, wake: make(chan struct{}, 1)} }

// look has the chassis compared with the database.
func (c *chassis) look() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run keeps them until ctx ends.
func (c *chassis) run(ctx context.Context) error {
	remotes, err := ovn.DialRemotes(ctx, ovn.Config{Endpoints: c.config.Southbound, Logger: c.log.WithName("ovn")})
	if err != nil {
		return fmt.Errorf("keep remote chassis: %w", err)
	}
	defer remotes.Close()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for wait := firstRetry; ; {
		select {
		case <-c.wake:
		case <-remotes.Changes():
		case <-retry.C:
		case <-ctx.Done():
			return nil
		}
		retry.Stop()
		foreign, err := remotes.Apply(ctx, c.wanted(), c.filling.done())
		if len(foreign) > 0 {
			c.log.Info("Chassis of other nodes were not made by l2sm and stay as they are", "chassis", foreign)
		}
		if err == nil || errors.Is(err, ovn.ErrNotConnected) { // a connection is a change
			wait = firstRetry
			continue
		}
		c.log.Info("Cannot write remote chassis; tries again", "error", err.Error(), "after", wait.String())
		retry.Reset(wait)
		wait = min(2*wait, lastRetry)
	}
}

// wanted are the chassis of nodes with members of this node's networks, as far as
// it is known where their tunnels start.
func (c *chassis) wanted() []ovn.Remote {
	var all []ovn.Remote
	for _, node := range c.table.otherNodes() {
		n := c.nodes.L2Node(node)
		if n == nil {
			continue
		}
		valid := func(text string) bool { _, err := netip.ParseAddr(text); return err == nil }
		if i := slices.IndexFunc(n.Status.TunnelAddresses, valid); i >= 0 {
			all = append(all, ovn.Remote{Name: c.chassisOf(node), Hostname: node, Address: n.Status.TunnelAddresses[i]})
		}
	}
	return all
}
