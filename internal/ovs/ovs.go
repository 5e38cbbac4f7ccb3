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
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/internal/ovs/vs"
	"l2sm.io/l2sm/internal/wake"
)

// IntegrationBridge is the bridge that ovn-controller makes and fills with
// flows, ovn-controller(8).
const IntegrationBridge = "br-int"

var (
	// ErrNotConnected says that OVS' database cannot be reached.
	ErrNotConnected = errors.New("not connected to Open vSwitch's database")
	// ErrNoBridge says that ovn-controller has not made its bridge.
	ErrNoBridge = fmt.Errorf("bridge %s does not exist", IntegrationBridge)
)

const connectTimeout = 5 * time.Second

// Client is a connection to OVS' database. Its methods may be called from any
// goroutine.
type Client struct {
	endpoint string
	log      logr.Logger
	onChange func(Port)

	schema   model.ClientDBModel
	session  atomic.Pointer[session]
	sessions atomic.Int64
	changed  wake.Signal
	broken   brokenTunnels
}

// session is one connection, monitored: its cache is complete.
type session struct {
	db client.Client
	// lost is closed when the connection ends.
	lost <-chan struct{}
}

// New returns a client of the database at endpoint, such as
// unix:/run/openvswitch/db.sock, that is not connected: see Start. onChange is
// called for each of our ports that appears, changes or goes while there is a
// connection; it must return quickly.
func New(endpoint string, log logr.Logger, onChange func(Port)) (*Client, error) {
	schema, err := model.NewClientDBModel("Open_vSwitch", map[string]model.Model{
		vs.BridgeTable:      &vs.Bridge{},
		vs.InterfaceTable:   &vs.Interface{},
		vs.OpenvSwitchTable: &vs.OpenvSwitch{},
		vs.PortTable:        &vs.Port{},
	})
	if err != nil {
		return nil, fmt.Errorf("build model of Open vSwitch's database: %w", err)
	}
	return &Client{endpoint: endpoint, log: log, onChange: onChange, schema: schema}, nil
}

// Start connects, and connects again whenever the connection is lost, until ctx
// ends.
func (c *Client) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		s, err := backoff.RetryNotifyWithData(func() (*session, error) { return c.connect(ctx) },
			backoff.WithContext(forever(), ctx), c.logFailure())
		if err != nil {
			return nil //nolint:nilerr // ctx ended before a connection came about
		}
		c.log.Info("connected to Open vSwitch", "endpoint", c.endpoint)
		c.serve(ctx, s)
	}
	return nil
}

// forever is a back-off that never gives up.
func forever() backoff.BackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(time.Second), backoff.WithMaxElapsedTime(0))
}

// logFailure logs the first of a row of failures: the others say the same.
func (c *Client) logFailure() backoff.Notify {
	logged := false
	return func(err error, _ time.Duration) {
		if !logged {
			c.log.Info("Open vSwitch is not reachable yet", "endpoint", c.endpoint, "error", err.Error())
			logged = true
		}
	}
}

// serve offers the session until it or ctx ends.
func (c *Client) serve(ctx context.Context, s *session) {
	c.session.Store(s)
	c.sessions.Add(1)
	c.changed.Raise()
	select {
	case <-ctx.Done():
	case <-s.lost:
		c.log.Info("lost the connection to Open vSwitch", "endpoint", c.endpoint)
	}
	c.session.Store(nil)
	c.changed.Raise()
	s.db.Close()
}

// connect leaves reconnecting to Start: a new session begins with an empty
// cache, while libovsdb's own way waits inside each call by polling.
func (c *Client) connect(ctx context.Context) (*session, error) {
	attempt, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	db, err := client.NewOVSDBClient(c.schema, client.WithEndpoint(c.endpoint), client.WithLogger(&c.log))
	if err != nil {
		return nil, backoff.Permanent(fmt.Errorf("make client of %q: %w", c.endpoint, err))
	}
	failed := make(chan struct{})
	lost := notifyLost(db, failed)
	if err := c.open(attempt, db); err != nil {
		close(failed)
		db.Close()
		return nil, err
	}
	return &session{db: db, lost: lost}, nil
}

// notifyLost listens before there is a connection: libovsdb tells of its end
// only those who listen at that moment. It stops listening when failed is
// closed.
func notifyLost(db client.Client, failed <-chan struct{}) <-chan struct{} {
	lost := make(chan struct{})
	go func() {
		select {
		case <-db.DisconnectNotify():
			close(lost)
		case <-failed:
		}
	}()
	return lost
}

func (c *Client) open(ctx context.Context, db client.Client) error {
	if err := db.Connect(ctx); err != nil {
		return fmt.Errorf("connect to %q: %w", c.endpoint, err)
	}
	c.broken.clear()
	db.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(_ string, row model.Model) { c.broken.is(row); c.rowChanged(row) },
		UpdateFunc: func(_ string, _, row model.Model) { c.broken.is(row); c.rowChanged(row) },
		DeleteFunc: func(_ string, row model.Model) { c.broken.gone(row); c.rowChanged(row) },
	})
	if err := monitor(ctx, db); err != nil {
		return fmt.Errorf("monitor %q: %w", c.endpoint, err)
	}
	return nil
}

// monitor names every column: a monitor of all of them receives those of newer
// schemas too, and libovsdb's cache drops the rest of such an update.
func monitor(ctx context.Context, db client.Client) error {
	var (
		root   vs.OpenvSwitch
		bridge vs.Bridge
		port   vs.Port
		iface  vs.Interface
	)
	_, err := db.Monitor(ctx, db.NewMonitor(
		client.WithTable(&root, &root.ExternalIDs, &root.CurCfg, &root.OVSVersion),
		client.WithTable(&bridge, &bridge.Name, &bridge.DatapathType),
		client.WithTable(&port, &port.Name),
		client.WithTable(&iface, &iface.Name, &iface.ExternalIDs, &iface.Ofport, &iface.Error, &iface.Type, &iface.Options),
	))
	return err
}

func (c *Client) rowChanged(row model.Model) {
	c.changed.Raise()
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
	bridges, err := list[vs.Bridge](ctx, c)
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
	roots, err := list[vs.OpenvSwitch](ctx, c)
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
func (c *Client) Sessions() int64 { return c.sessions.Load() }

// Changed returns a channel that is closed at the next change of anything that
// the other methods return.
func (c *Client) Changed() <-chan struct{} { return c.changed.Next() }

// list reads a table from the cache.
func list[T any](ctx context.Context, c *Client) ([]*T, error) {
	s := c.session.Load()
	if s == nil {
		return nil, ErrNotConnected
	}
	var rows []*T
	if err := s.db.List(ctx, &rows); err != nil {
		return nil, fmt.Errorf("read Open vSwitch's database: %w", err)
	}
	// A cache that a lost connection emptied is not a database without rows.
	if c.session.Load() != s {
		return nil, ErrNotConnected
	}
	return rows, nil
}
