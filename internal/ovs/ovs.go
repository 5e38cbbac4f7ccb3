// Package ovs is the node's Open vSwitch, driven through its database: which
// interfaces of which pods are ports of the integration bridge, and whether
// ovn-controller has installed their flows.
//
// What the agent knows of a port is written into the Interface's external_ids
// (port.go), so that nothing else needs to be remembered: an agent that starts
// reads what its predecessor did.
package ovs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// IntegrationBridge is the bridge that ovn-controller makes and fills with
// flows, ovn-controller(8).
const IntegrationBridge = "br-int"

var (
	// ErrNotConnected says that OVS' database cannot be reached.
	ErrNotConnected = replica.ErrNotConnected
	// ErrNoBridge says that ovn-controller has not made its bridge.
	ErrNoBridge = fmt.Errorf("bridge %s does not exist", IntegrationBridge)
)

// Client is a connection to OVS' database. Its methods may be called from any
// goroutine.
type Client struct {
	db       *replica.Replica
	onChange func(Port)
	broken   brokenTunnels
}

// New returns a client of the database at endpoint, such as
// unix:/run/openvswitch/db.sock, that is not connected: see Start. onChange is
// called for each of our ports that appears, changes or goes while there is a
// connection; it must return quickly.
func New(endpoint string, log logr.Logger, onChange func(Port)) (*Client, error) {
	c := &Client{onChange: onChange}
	db, err := replica.New(replica.Config{
		Endpoint: endpoint, Log: log,
		Tables: map[string]model.Model{
			vs.BridgeTable:      &vs.Bridge{},
			vs.InterfaceTable:   &vs.Interface{},
			vs.OpenvSwitchTable: &vs.OpenvSwitch{},
			vs.PortTable:        &vs.Port{},
		},
		Monitor: monitor,
		Begins:  c.broken.clear,
		Is:      func(row model.Model) { c.broken.is(row); c.rowChanged(row) },
		Gone:    func(row model.Model) { c.broken.gone(row); c.rowChanged(row) },
	})
	if err != nil {
		return nil, err
	}
	c.db = db
	return c, nil
}

// Start connects, and connects again whenever the connection is lost, until ctx
// ends.
func (c *Client) Start(ctx context.Context) error { return c.db.Start(ctx) }

func monitor(db client.Client) *client.Monitor {
	var (
		root   vs.OpenvSwitch
		bridge vs.Bridge
		port   vs.Port
		iface  vs.Interface
	)
	return db.NewMonitor(
		client.WithTable(&root, &root.ExternalIDs, &root.CurCfg, &root.OVSVersion),
		client.WithTable(&bridge, &bridge.Name, &bridge.DatapathType),
		client.WithTable(&port, &port.Name),
		client.WithTable(&iface, &iface.Name, &iface.ExternalIDs, &iface.Ofport, &iface.Error, &iface.Type, &iface.Options),
	)
}

func (c *Client) rowChanged(row model.Model) {
	iface, ok := row.(*vs.Interface)
	if !ok {
		return
	}
	if p, ours := portOf(iface); ours {
		c.onChange(p)
	}
}

// Ready returns nil when pods can be plugged, and otherwise why not.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.Userspace(ctx)
	return err
}

// Userspace says whether the integration bridge forwards in ovs-vswitchd
// (datapath_type netdev) and not in the kernel.
func (c *Client) Userspace(ctx context.Context) (bool, error) {
	b, err := c.bridge(ctx)
	if err != nil {
		return false, err
	}
	return b.DatapathType == "netdev", nil
}

func (c *Client) bridge(ctx context.Context) (*vs.Bridge, error) {
	bridges, err := replica.List[vs.Bridge](ctx, c.db)
	if err != nil {
		return nil, err
	}
	for _, b := range bridges {
		if b.Name == IntegrationBridge {
			return b, nil
		}
	}
	return nil, ErrNoBridge
}

// EncapIPs are the addresses that the node's tunnels start from: ovn-encap-ip,
// ovn-controller(8). They are none where that is not set.
func (c *Client) EncapIPs(ctx context.Context) ([]netip.Addr, error) {
	roots, err := replica.List[vs.OpenvSwitch](ctx, c.db)
	if err != nil || len(roots) == 0 || roots[0].ExternalIDs["ovn-encap-ip"] == "" {
		return nil, err
	}
	var all []netip.Addr
	for text := range strings.SplitSeq(roots[0].ExternalIDs["ovn-encap-ip"], ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("parse ovn-encap-ip: %w", err)
		}
		all = append(all, addr)
	}
	return all, nil
}

// Sessions counts the connections so far. When it grows, anything may have
// changed in between.
func (c *Client) Sessions() int64 { return c.db.Sessions() }

// Changed returns a channel that is closed at the next change of anything that
// the other methods return.
func (c *Client) Changed() <-chan struct{} { return c.db.Changed() }
