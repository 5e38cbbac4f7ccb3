package edge

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/loop"
	"l2sm.io/l2sm/internal/openflow"
	"l2sm.io/l2sm/internal/wake"
)

// manager is the edge's name in managedFields.
const manager = "l2sm-edge"

// Config is what an edge needs.
type Config struct {
	// Node is the Kubernetes node that the edge runs on.
	Node string
	// OVSDB is the endpoint of Open vSwitch's database, OpenFlowDir where the bridges'
	// management sockets are.
	OVSDB, OpenFlowDir string
	// BGPPort is the TCP port of this edge's BGP and of its peers'.
	BGPPort uint16
	// WireGuardPort is the UDP port of this edge's WireGuard and of its peers'.
	WireGuardPort uint16
	// MetricsAddress is that of metrics and profiles, served with the certificate in
	// MetricsTLSDir. ProbeAddress is that of health probes. An address 0 is for none.
	MetricsAddress, MetricsTLSDir, ProbeAddress string
	// API reaches the API server.
	API *kube.Client
	Log logr.Logger
}

// Edge is one node's.
type Edge struct {
	config Config
	log    logr.Logger
	cache  *kube.Edge
	bridge *edgebridge.Bridge

	// reports writes the status of L2Peers, remotes L2Remotes.
	reports *loop.Loop[string]
	remotes *loop.Loop[types.NamespacedName]

	// ctx ends with Run, which waits for what runs.
	ctx     context.Context //nolint:containedctx // watches of networks begin in callbacks, and end with Run
	running sync.WaitGroup

	// raceChanged is raised when what the Lease is decided by has changed, leftChanged when
	// left has.
	raceChanged, leftChanged wake.Signal

	mu       sync.Mutex
	networks map[types.NamespacedName]*network
	byVNI    map[uint32]*network
	table    *evpn.Table
	bridgeIs bridgeIs
	// sessions by the address of the endpoint.
	sessions map[netip.Addr]session
	// conn is the connection to br-edge, nil while there is none; meters are those that it
	// has, cookies those of this program's flows. The worker writes them.
	conn    *openflow.Conn
	meters  meters
	cookies cookies
	parts   parts
	// partNames finds them by the object's name.
	partNames map[types.NamespacedName]part
	dirty     dirty
	// speaker is nil while this node has no address as an edge.
	speaker *speaking
	// refused is which peers the speaker does not take, a line each.
	refused string
	// trouble is what keeps the worker from its work, empty for nothing.
	trouble string
	// left says that this node has nothing of an edge.
	left bool
	// filled says that the caches are, began when the program did.
	filled bool
	began  time.Time
	// floor is that of sequences: see leaseChanged.
	floor uint32
}

// New returns an edge that does nothing yet: see Run.
func New(c Config) (*Edge, error) {
	e := &Edge{
		config: c, log: c.Log,
		networks: map[types.NamespacedName]*network{}, byVNI: map[uint32]*network{},
		table: evpn.NewTable(), sessions: map[netip.Addr]session{}, parts: parts{}, partNames: map[types.NamespacedName]part{}, bridgeIs: newBridgeIs(),
		meters: newMeters(), cookies: newCookies(), dirty: newDirty(), began: time.Now(),
	}
	e.reports = loop.New(c.Log.WithName("peers"), e.report)
	e.remotes = loop.New(c.Log.WithName("remotes"), e.writeRemote)
	var err error
	if e.cache, err = c.API.Edge(); err != nil {
		return nil, err
	}
	if e.bridge, err = edgebridge.New(c.OVSDB, c.Log.WithName("ovs"), e); err != nil {
		return nil, err
	}
	return e, errors.Join(
		e.cache.OnEdge(func(_, _ *v1alpha1.L2Edge) { e.settingsChanged() }),
		e.cache.OnPeer(e.peerChanged),
		e.cache.OnSecret(func(_, _ *corev1.Secret) { e.settingsChanged() }),
		e.cache.OnLease(e.leaseChanged),
		e.cache.OnNetwork(e.networkChanged),
		e.cache.OnRemote(e.remoteChanged),
	)
}

// Run works until ctx ends, and then for as long as it takes to leave a node that is an edge
// no more: see farewell.
func (e *Edge) Run(ended context.Context) error {
	working, stop := context.WithCancel(context.WithoutCancel(ended))
	defer stop()
	unhook := context.AfterFunc(ended, func() {
		e.farewell()
		stop()
	})
	defer unhook()
	all, ctx := errgroup.WithContext(working)
	e.ctx = ctx
	all.Go(func() error { return e.bridge.Start(ctx) })
	all.Go(func() error {
		e.cache.Run(ctx, e.cachesFilled)
		return nil
	})
	all.Go(func() error {
		e.reports.Run(ctx, 1)
		return nil
	})
	all.Go(func() error {
		e.remotes.Run(ctx, 2)
		return nil
	})
	all.Go(func() error {
		(&candidate{Edge: e}).run(ctx)
		return nil
	})
	all.Go(func() error { return e.work(ctx) })
	all.Go(func() error { return e.serveProbes(ctx) })
	all.Go(func() error { return e.serveMetrics(ctx) })
	err := all.Wait()
	e.running.Wait()
	return err
}

// socket is br-edge's for OpenFlow.
func (e *Edge) socket() string {
	return filepath.Join(e.config.OpenFlowDir, edgebridge.Name+".mgmt")
}

// cachesFilled has everything decided again: what was told before may be half of it.
func (e *Edge) cachesFilled() {
	e.mu.Lock()
	e.filled = true
	e.mu.Unlock()
	e.settingsChanged()
}

// leaseChanged has an edge that takes over announce by higher sequences than the one
// before it did: each transition is one more.
func (e *Edge) leaseChanged(_, lease *coordinationv1.Lease) {
	e.mu.Lock()
	if holderOf(lease) == e.config.Node && lease.Spec.LeaseTransitions != nil && e.floor < uint32(*lease.Spec.LeaseTransitions) {
		e.floor = uint32(*lease.Spec.LeaseTransitions)
		e.table.SetFloor(e.floor)
		e.dirty.kick()
	}
	e.mu.Unlock()
	e.raceChanged.Raise()
	e.reportAll()
}
