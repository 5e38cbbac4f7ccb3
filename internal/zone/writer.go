package zone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// What failed is tried again, first soon and at last every few seconds: what it
// waits for is mostly a program that starts.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Config is what a writer needs.
type Config struct {
	// Node is the Kubernetes node.
	Node string
	// Fabric is Zones or OVNKubernetes.
	Fabric v1alpha1.Fabric
	// Northbound and Southbound are the endpoints of the node's own databases.
	Northbound, Southbound []string
	// MaxMTU is what pods may have, in bytes, at most.
	MaxMTU int32
	// API reaches the API server, Cache is the node's part of it. Who makes the
	// writer runs the cache.
	API   *kube.Client
	Cache *kube.Node
	// KeysTaken is told which networks have another tunnel key here than elsewhere,
	// each time that it was looked for; nil for none.
	KeysTaken func(error)
	// Tell tells an attachment's pod what happened to its port. It returns at once.
	Tell func(context.Context, *v1alpha1.L2Attachment, v1alpha1.Event)
	Log  logr.Logger
}

// Writer keeps one node's databases.
type Writer struct {
	config     Config
	log        logr.Logger
	zone       topology.Zone
	table      *table
	nodes      *kube.L2Nodes
	carried    *kube.Carried
	southbound *southbound
	filling    filling
	floods     floods
	queue      workqueue.TypedRateLimitingInterface[types.NamespacedName]

	mu      sync.Mutex
	watches map[types.NamespacedName]*watch
	// northbound is nil until Run has made it.
	northbound *ovn.Client
}

// Beside what every agent may read: a role of its own, for zoned fabrics.
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch

// New returns a writer that does nothing yet: see Run.
func New(c Config) (*Writer, error) {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](firstRetry, lastRetry)
	w := &Writer{
		config: c, log: c.Log,
		queue: workqueue.NewTypedRateLimitingQueue(limiter), watches: map[types.NamespacedName]*watch{},
		floods: floods{pause: ovn.LearningPause, ends: map[types.UID]*time.Timer{}},
	}
	w.southbound = newSouthbound(w)
	w.table = newTable(c.Node, w.southbound.look)
	w.zone = topology.Zone{Node: c.Node, Chassis: w.chassisOf, Marks: marksOf(c.Fabric)}
	var err error
	if w.nodes, err = c.API.L2Nodes(); err != nil {
		return nil, err
	}
	if w.carried, err = c.API.Carried(c.Node); err != nil {
		return nil, err
	}
	return w, errors.Join(
		w.nodes.OnNode(w.nodeChanged),
		w.carried.OnNetwork(func(key types.NamespacedName, carried bool) { w.wake(w.table.carry(key, carried)...) }),
		c.Cache.OnAttachment(func(before, after *v1alpha1.L2Attachment) { w.changed(source{}, before, after) }),
	)
}

// Run writes until ctx ends.
func (w *Writer) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	northbound, err := ovn.Dial(ctx, ovn.Config{Endpoints: w.config.Northbound, Logger: w.log.WithName("ovn")})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.northbound = northbound
	w.mu.Unlock()
	nodes, carried := make(chan struct{}), make(chan struct{})
	all.Go(func() error {
		w.nodes.Run(ctx, func() { close(nodes) })
		return nil
	})
	all.Go(func() error {
		w.carried.Run(ctx, func() { close(carried) })
		return nil
	})
	all.Go(func() error {
		defer w.northbound.Close()
		defer w.stopAll()
		for _, filled := range []<-chan struct{}{nodes, carried} {
			select {
			case <-filled:
			case <-ctx.Done():
				return nil
			}
		}
		if !w.config.Cache.Filled(ctx) {
			return nil
		}
		return w.work(ctx)
	})
	return all.Wait()
}

// work needs the caches of the node's attachments, of the nodes and of what the node's
// edge carries.
func (w *Writer) work(ctx context.Context) error {
	for _, key := range w.carried.Networks() { // events may be behind the cache
		w.wake(w.table.carry(key, true)...)
	}
	for _, a := range w.config.Cache.Attachments() {
		w.wake(w.table.see(source{}, a)...)
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		w.follow(ctx)
		return nil
	})
	all.Go(func() error {
		context.AfterFunc(ctx, w.queue.ShutDown)
		for w.next(ctx) {
		}
		return nil
	})
	all.Go(func() error { return w.southbound.run(ctx) })
	return all.Wait()
}

// changed takes what a cache tells of an attachment.
func (w *Writer) changed(from source, before, after *v1alpha1.L2Attachment) {
	if after != nil {
		w.wake(w.table.see(from, after)...)
		return
	}
	w.wake(w.table.lose(from, before)...)
}

// wake never blocks. The first key is worked on first.
func (w *Writer) wake(networks ...types.NamespacedName) {
	for _, key := range networks {
		w.queue.Add(key)
	}
}

// chassisOf is the name that a node has in OVN: its own name, unless it says
// otherwise.
func (w *Writer) chassisOf(node string) string {
	return nameOf(w.nodes.L2Node(node), node)
}

func nameOf(n *v1alpha1.L2Node, node string) string {
	if n == nil || n.Status.Chassis == "" {
		return node
	}
	return n.Status.Chassis
}

// nodeChanged follows where a node's tunnels start, and writes the ports again of
// one that has another name in OVN now.
func (w *Writer) nodeChanged(before, after *v1alpha1.L2Node) {
	node := cmp.Or(before, after).Name
	if !w.table.knows(node) {
		return
	}
	w.southbound.look()
	if nameOf(before, node) == nameOf(after, node) {
		return
	}
	for _, key := range w.table.networksWithMembers() {
		w.table.compare(key)
		w.wake(key)
	}
}

// follow has the networks written whose rows are not what was last applied, and
// after a connection was made every one that has a member here or is in the
// database.
func (w *Writer) follow(ctx context.Context) {
	for change := range w.northbound.Changes() {
		if !change.All {
			w.table.compare(types.NamespacedName(change.Key))
			w.wake(types.NamespacedName(change.Key))
			continue
		}
		mine := w.table.networksWithMembers()
		w.filling.begin(mine)
		for _, key := range mine {
			w.table.compare(key)
		}
		w.wake(mine...)
		held, err := w.northbound.Networks()
		if err != nil {
			w.log.Info("Northbound went away again before it could be compared", "reason", err.Error())
		}
		for _, key := range held {
			w.wake(types.NamespacedName(key))
		}
		if err := w.complete(ctx); err != nil {
			w.log.Info("Cannot mark the northbound database complete; its next network tries again", "error", err.Error())
		}
	}
}

// next works on one network, and says whether there may be others.
func (w *Writer) next(ctx context.Context) bool {
	key, down := w.queue.Get()
	if down {
		return false
	}
	defer w.queue.Done(key)
	err := errors.Join(w.reconcile(ctx, key), w.complete(ctx))
	if err != nil && !errors.Is(err, ovn.ErrNotConnected) { // the next connection wakes all
		w.log.Info("Reconciler error", "network", key, "error", err.Error())
		w.queue.AddRateLimited(key)
		return true
	}
	w.queue.Forget(key)
	return true
}

// complete marks our own database once it holds every network of the node: only
// then does the node follow one that was empty.
func (w *Writer) complete(ctx context.Context) error {
	written, round, ok := w.filling.filled()
	if !ok || !w.northbound.Connected() {
		return nil
	}
	if w.config.Fabric == v1alpha1.FabricZones {
		complete, err := w.northbound.Complete(ctx, written)
		if err != nil || !complete {
			return err
		}
	}
	w.log.Info("Northbound database holds every network of the node", "networks", len(written))
	w.wake(w.filling.end(round)...)
	w.southbound.look()
	return nil
}

func (w *Writer) reconcile(ctx context.Context, key types.NamespacedName) error {
	if !w.northbound.Connected() {
		return ovn.ErrNotConnected
	}
	if !w.table.member(key) {
		return w.vacate(ctx, key)
	}
	watched, err := w.watch(ctx, key)
	if err != nil {
		return err
	}
	if !watched.filled() {
		return nil // it wakes the network
	}
	network := watched.cache.L2Network()
	if network == nil || network.Status.TunnelKey == 0 || network.InForce() == nil {
		w.log.Info("Network has no spec in force or no tunnel key; is l2sm-controller running?", "network", key)
		w.filling.settle(key, false)
		return nil // its change wakes it
	}
	return w.write(ctx, key, watched, network.InForce())
}

// write makes the database hold what has changed of the network, or all of it.
func (w *Writer) write(ctx context.Context, key types.NamespacedName, watched *watch, network *v1alpha1.L2Network) error {
	w.table.turnTo(key, wayOf(network).node)
	sw := w.zone.Switch(network, w.config.MaxMTU)
	work := w.table.begin(key, watched.restated(network))
	turned := watched.turned(network)
	if work.empty() && !turned {
		w.filling.settle(key, true)
		return nil
	}
	ports := make([]ovn.Port, 0, len(work.set)+1)
	for _, p := range work.set {
		ports = append(ports, w.zone.Port(network, w.ported(p.attachment)))
	}
	removed := portNames(work.remove)
	switch edge, goes := w.zone.Edge(network); {
	case goes && (turned || work.whole):
		ports = append(ports, edge)
	case !goes && turned:
		removed = append(removed, v1alpha1.PortOf(v1alpha1.EdgeOf(key)))
	}
	var result ovn.Result
	var err error
	if work.whole {
		sw.Ports, sw.Leaving = ports, portNames(work.leaving)
		result, err = w.northbound.Apply(ctx, sw)
	} else {
		result, err = w.northbound.ApplyPorts(ctx, ovn.PortChanges{Network: sw, Set: ports, Remove: removed})
	}
	if err != nil {
		w.table.failed(key, work)
		if !errors.Is(err, ovn.ErrNotConnected) {
			w.filling.settle(key, false) // one that is refused must not keep the others from the node
		}
		return err
	}
	watched.state(network)
	w.table.keyed(key, network.Status.TunnelKey)
	if result.Committed {
		w.log.Info("Northbound committed", append(result.Logged(), "switch", sw.Switch())...)
	}
	w.wake(w.table.done(key, work)...)
	w.filling.settle(key, true)
	return nil
}

// vacate removes a network that has no member here any more, once all that are
// here are written: ports of it may be on their way to one of these.
func (w *Writer) vacate(ctx context.Context, key types.NamespacedName) error {
	w.stop(key)
	if w.filling.later(key) || !w.table.vacant(key) {
		return nil // who holds it up wakes it
	}
	if err := w.northbound.Delete(ctx, ovn.Key(key)); err != nil {
		return fmt.Errorf("leave network %q: %w", key, err)
	}
	w.wake(w.table.forget(key)...)
	return nil
}
