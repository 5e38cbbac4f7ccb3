package ovs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// keyOVNVersion is where ovn-node writes which ovn-controller it starts.
const keyOVNVersion = "l2sm-ovn-version"

// Facts are what the database says of the node. What it does not say is empty.
type Facts struct {
	// Chassis is the node's name in OVN.
	Chassis string
	// Datapath is the integration bridge's: system or netdev. It is empty where
	// there is no bridge.
	Datapath string
	// OVSVersion and OVNVersion are those of ovs-vswitchd and ovn-controller.
	OVSVersion, OVNVersion string
	// BrokenTunnels are the first few tunnels that ovs-vswitchd could not make, with
	// their errors; Broken is how many there are.
	BrokenTunnels []string
	Broken        int
}

// Facts returns what the database says of the node.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	var f Facts
	roots, err := replica.List[vs.OpenvSwitch](ctx, c.db)
	if err != nil {
		return f, err
	}
	for _, root := range roots {
		f.Chassis, f.OVNVersion = root.ExternalIDs["system-id"], root.ExternalIDs[keyOVNVersion]
		if root.OVSVersion != nil {
			f.OVSVersion = *root.OVSVersion
		}
	}
	b, err := c.bridge(ctx)
	switch {
	case errors.Is(err, ErrNoBridge):
	case err != nil:
		return f, err
	case b.DatapathType == "":
		f.Datapath = "system" // ovs-vswitchd.conf.db(5): an empty string is that
	default:
		f.Datapath = b.DatapathType
	}
	f.BrokenTunnels, f.Broken = c.broken.first(mostBroken)
	return f, nil
}

// mostBroken is how many broken tunnels are named.
const mostBroken = 3

// brokenTunnels keeps the tunnels with errors as the rows change: a node has a
// tunnel to each other node. Its zero value is ready for use.
type brokenTunnels struct {
	mu  sync.Mutex
	all map[string]string // by the interface's name
}

func (b *brokenTunnels) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = map[string]string{}
}

func (b *brokenTunnels) is(row model.Model) {
	iface, ok := row.(*vs.Interface)
	if !ok || iface.Type != "geneve" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, iface.Name)
	if iface.Error != nil && *iface.Error != "" {
		b.all[iface.Name] = fmt.Sprintf("to %s: %s", iface.Options["remote_ip"], *iface.Error)
	}
}

func (b *brokenTunnels) gone(row model.Model) {
	iface, ok := row.(*vs.Interface)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, iface.Name)
}

// first returns the errors of the first so many by name, and how many there are.
func (b *brokenTunnels) first(most int) ([]string, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var first []string
	for _, name := range slices.Sorted(maps.Keys(b.all))[:min(most, len(b.all))] {
		first = append(first, b.all[name])
	}
	return first, len(b.all)
}
