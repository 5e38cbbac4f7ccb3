// Package edgebridge keeps an edge's bridge in Open vSwitch's database: br-edge, to which
// ovn-controller connects each stretched network by a patch port, and its VXLAN ports. It
// tells the numbers of both as they come and go, and what BFD sees of the other ends.
// Flows are none of its business: see internal/openflow.
package edgebridge

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"

	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/replica"
)

const (
	// Name of the bridge.
	Name = "br-edge"
	// Provider is the name by which l2gateway ports find the bridge: network_name in their
	// options, a key of ovn-bridge-mappings (ovn-controller(8)).
	Provider = "l2sm-edge"
)

// Config is what an edge wants.
type Config struct {
	// Local is where this edge's tunnels start.
	Local netip.Addr
	// Peers are the edges that have a port of their own, with BFD on it: other clusters'
	// endpoints, and this cluster's other edges.
	Peers []netip.Addr
	// Fabric has one port that the VTEPs of all fabrics share.
	Fabric bool
	// Outlet is a bridge through which tunnels leave, nil for none.
	Outlet *Outlet
}

// Outlet is a bridge whose own interface has the address Local, with one port, a link that
// exists. The userspace datapath sends tunnels through its bridges only.
type Outlet struct {
	Bridge, Port string
	// MAC address of the bridge's interface.
	MAC string
}

// check returns why Open vSwitch could not take it.
func (c Config) check() error {
	if !c.Local.IsValid() || c.Local.IsUnspecified() {
		return errors.New("tunnels have no address to start from")
	}
	for _, peer := range c.Peers {
		if !peer.IsValid() || peer == c.Local || peer.Is4() != c.Local.Is4() {
			return fmt.Errorf("there is no tunnel from %s to %s", c.Local, peer)
		}
	}
	return nil
}

// Tunnel is what has become of a VXLAN port.
type Tunnel struct {
	// Port is its number in the bridge, and zero while it has none.
	Port uint32
	// Error is why ovs-vswitchd could not make it.
	Error string
	// BFD is what is seen of the other end; of the shared port nothing.
	BFD BFD
}

// BFD is what RFC 5880's protocol says of one peer.
type BFD struct {
	// Forwarding says that frames arrive, both ways.
	Forwarding bool
	// State is up, down, init or admin_down, and empty before the first word.
	State string
	// Diagnostic is why the state is what it is.
	Diagnostic string
}

// Events are what is told. Calls come one after the other; those of one connection to the
// database, and of the next, tell what differs from what was told last. They must return
// quickly.
type Events interface {
	// Tunnel tells of the port to a peer; the endpoint is invalid for the one that fabrics
	// share. The zero Tunnel says that there is none.
	Tunnel(endpoint netip.Addr, is Tunnel)
	// Network tells the number of a network's patch port, by namespace/name of the
	// L2Network, and zero when there is none. A port that is made again has another.
	Network(name string, port uint32)
	// Synced says that all has been told that a new connection found.
	Synced()
}

// Bridge is the bridge. Its methods may be called from any goroutine.
type Bridge struct {
	db     *replica.Replica
	log    logr.Logger
	events Events

	// writing is held while the database is brought in line with wanted.
	writing sync.Mutex
	wanted  *Config
	// failed has follow try what Want could not do.
	failed chan struct{}

	mu sync.Mutex
	// touched are names of interfaces that may have changed.
	touched map[string]struct{}
	// ours are the names of the VXLAN ports that the database has of us.
	ours map[string]struct{}
	// begun says that a connection began, drifted that rows have changed which wanted is
	// about.
	begun, drifted bool

	// What was told, by the interfaces' names: of the goroutine that tells.
	networks map[string]uint32
	tunnels  map[string]toldTunnel
}

type toldTunnel struct {
	endpoint netip.Addr
	Tunnel
}

// New returns a bridge over the database at endpoint, such as
// unix:/run/openvswitch/db.sock, that is not connected: see Start.
func New(endpoint string, log logr.Logger, events Events) (*Bridge, error) {
	b := &Bridge{
		log: log, events: events, touched: map[string]struct{}{}, ours: map[string]struct{}{},
		networks: map[string]uint32{}, tunnels: map[string]toldTunnel{}, failed: make(chan struct{}, 1),
	}
	var err error
	b.db, err = replica.New(replica.Config{
		Endpoint: endpoint, Log: log, Tables: tables, Monitor: monitor,
		Begins: b.begins, Is: b.is, Gone: b.gone,
	})
	return b, err
}

// Start connects, tells, and keeps what is wanted, until ctx ends.
func (b *Bridge) Start(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return b.db.Start(ctx) })
	all.Go(func() error { b.follow(ctx); return nil })
	return all.Wait()
}

// Want brings the bridge, its ports and the mapping there, and takes away those of its
// ports that are not wanted. It returns when the database has committed. After an error it
// is tried again meanwhile, at the latest when the database (ovs.ErrNotConnected) or the
// integration bridge (ovs.ErrNoBridge) is there; and what others undo is done again.
func (b *Bridge) Want(ctx context.Context, config Config) error {
	if err := config.check(); err != nil {
		return fmt.Errorf("want bridge %s: %w", Name, err)
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	b.wanted = &config
	err := b.bring(ctx)
	if err != nil && !passing(err) {
		b.putBack(nil, false, true)
		select {
		case b.failed <- struct{}{}:
		default:
		}
	}
	return err
}

// Userspace says whether the datapath is Open vSwitch's own, not the kernel's.
func (b *Bridge) Userspace(ctx context.Context) (bool, error) {
	f, err := b.gather(ctx, Config{})
	switch {
	case err != nil:
		return false, fmt.Errorf("look for the datapath: %w", err)
	case f.integration == nil:
		return false, ovs.ErrNoBridge
	default:
		return f.integration.DatapathType == userspace, nil
	}
}

// Remove takes the bridge away with all its ports, its outlet, and its mapping.
func (b *Bridge) Remove(ctx context.Context) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.wanted = nil
	if err := b.remove(ctx); err != nil {
		return fmt.Errorf("remove bridge %s: %w", Name, err)
	}
	return nil
}

// passing says that an error goes when rows change: nothing is tried again before.
func passing(err error) bool {
	return errors.Is(err, replica.ErrNotConnected) || errors.Is(err, ovs.ErrNoBridge)
}
