package ovn

import (
	"context"
	"fmt"
)

// PortChanges are changes to some of a network's ports, for
// [Client.ApplyPorts].
type PortChanges struct {
	// Network says what the ports' switch must be like, and what serves it as a
	// whole, such as DHCP: it is created or corrected when necessary. Its Ports
	// and Leaving are empty.
	Network

	// Set are ports that must be on the switch as given: they are created,
	// moved here with their row kept, or rewritten.
	Set []Port

	// Remove are names of our ports that must no longer be on this switch. A
	// port that is on another switch stays there.
	Remove []string
}

// validate reports input that no database could hold.
func (c PortChanges) validate() error {
	if len(c.Ports)+len(c.Leaving) > 0 {
		return fmt.Errorf("network %q: changes do not list all ports", c.Key)
	}
	if err := c.network().validate(); err != nil {
		return err
	}
	set := make(map[string]bool, len(c.Set))
	for _, p := range c.Set {
		set[p.Name] = true
	}
	for _, name := range c.Remove {
		if set[name] {
			return fmt.Errorf("network %q: port %q is both set and removed", c.Key, name)
		}
	}
	return nil
}

// network is the network with the ports that are set.
func (c PortChanges) network() Network {
	n := c.Network
	n.Ports = c.Set
	return n
}

// ApplyPorts changes some ports of a network and leaves its other ports as they
// are. Its work depends on the number of these changes only, not on the size of
// the network or of the database. Apart from that it is like [Client.Apply].
//
// A port that it takes from another network is no longer expected there, so
// nothing has to be applied to that one.
//
// When it finds that all ports have to change, because a set of DHCP options
// came or went or the network's UID is another, it changes these ones only and
// reports the network in [Client.Changes], to be applied as a whole.
func (c *Client) ApplyPorts(ctx context.Context, ch PortChanges) (Result, error) {
	if err := ch.validate(); err != nil {
		return Result{}, fmt.Errorf("apply ports: %w", err)
	}

	defer c.changes.expectPorts(ch)()
	result, wide, err := c.converge(ctx, target{Network: ch.network(), partial: true, gone: ch.Remove})
	if err != nil {
		return Result{}, fmt.Errorf("apply ports of network %q: %w", ch.Key, err)
	}
	if wide {
		c.changes.doubt(ch.Key)
	}
	return result, nil
}
