package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/firewall"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/wake"
)

// name is the agent's in managedFields and in events.
const name = "l2sm-agent"

// Config is what the agent needs beside the API server.
type Config struct {
	// Node is the Kubernetes node that the agent runs on.
	Node string
	// CNISocket is where the CNI plugin finds the agent.
	CNISocket string
	// CRI is the socket of the container runtime; empty for the first that is
	// there of those that runtimes have by default.
	CRI string
	// OVSDB is the endpoint of Open vSwitch's database, such as
	// unix:/run/openvswitch/db.sock.
	OVSDB string
	// AttachBy is how pods get their interfaces before they start.
	AttachBy v1alpha1.AttachBy
	// NRISocket is where the container runtime listens for plugins.
	NRISocket string
	// UnderlayMTU is the cluster's, in bytes.
	UnderlayMTU int32
	// SysctlRoot is where /proc/sys can be written.
	SysctlRoot string
	// MetricsAddress is that of metrics, inventory and profiles, served with the
	// certificate in MetricsTLSDir. ProbeAddress is that of health probes. An
	// address 0 is for none.
	MetricsAddress, MetricsTLSDir, ProbeAddress string
	// AttachTimeout and InstallTimeout bound the two waits of an ADD; their
	// zero values stand for the defaults.
	AttachTimeout, InstallTimeout time.Duration

	// RefusalFile is where ovn-node's checks say why it does not start.
	RefusalFile string
	// Fabric says which northbound databases hold the networks.
	Fabric v1alpha1.Fabric
	// Version is the agent's.
	Version string

	// bootID stands for the machine's, for tests.
	bootID string
	// step is plugger's, for tests.
	step func(done string)
}

// Agent serves one node.
type Agent struct {
	plugger
	grants   grants
	config   Config
	log      logr.Logger
	node     *kube.Node
	live     *kube.Client
	cri      *cri.Client
	timeouts struct{ attach, install time.Duration }

	watcher  *watcher
	settler  *settler
	sweeper  *sweeper
	early    *early
	underlay *underlay
	firewall *firewall.Keeper
	reporter *reporter

	// pods holds one lock for each life of a pod: see life. Calls for one come one
	// by one.
	pods locks
	// steering holds one lock a container for its routing rules.
	steering locks
	// torn are the containers whose sandbox is torn down: the runtime lists
	// them as ready for a while.
	torn containers
	// underWay are the containers of calls that are served now.
	underWay containers
	// changed is raised when the caches get anything that an ADD may wait for.
	changed wake.Signal
	// zone reads what the node's own databases hold: see ShowZone.
	zone func(context.Context) (*inventory.Zone, error)
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch

// New returns an agent that does nothing yet: see Run.
func New(api *rest.Config, c Config, log logr.Logger) (*Agent, error) {
	a := &Agent{config: c, log: log, grants: grants{keyed: c.Fabric.Zoned()}}
	a.timeouts.attach, a.timeouts.install = cmp.Or(c.AttachTimeout, attachTimeout), cmp.Or(c.InstallTimeout, installTimeout)
	var err error
	if a.live, err = kube.New(api); err != nil {
		return nil, err
	}
	if a.node, err = a.live.Node(c.Node); err != nil {
		return nil, err
	}
	if a.cri, err = cri.New(cmp.Or(c.CRI, cri.Socket())); err != nil {
		return nil, err
	}
	a.watcher, a.settler, a.sweeper = newWatcher(a), newSettler(a), newSweeper(a)
	a.early = newEarly(a)
	vswitch, err := ovs.New(c.OVSDB, log.WithName("ovs"), func(p ovs.Port) {
		a.settler.portChanged(p)
		a.watcher.portChanged(p)
	})
	if err != nil {
		return nil, err
	}
	a.plugger = plugger{links: link.New(c.SysctlRoot), ovs: vswitch, step: c.step}
	a.reporter = newReporter(a)
	a.firewall = firewall.New(log.WithName("firewall"), func(err error) { a.reporter.tell(func(v *nodeView) { v.open = err }) }, []uint16{firewall.GenevePort}, []uint16{firewall.VXLANPort})
	a.underlay = &underlay{log: log.WithName("underlay"), complain: a.complain, ovs: vswitch, want: int(c.UnderlayMTU), seen: a.tunnelsAt}
	return a, a.follow()
}

// API is how the agent reaches the API server.
func (a *Agent) API() *kube.Client { return a.live }

// Cache is the node's part of the API, which Run fills.
func (a *Agent) Cache() *kube.Node { return a.node }

// KeysTaken takes which networks have another tunnel key here than on other nodes,
// nil for none.
func (a *Agent) KeysTaken(err error) {
	a.reporter.tell(func(v *nodeView) { v.misplaced = err })
}

// ShowZone has the inventory tell of the node's own databases. It is called before
// Run, or not at all.
func (a *Agent) ShowZone(read func(context.Context) (*inventory.Zone, error)) { a.zone = read }

// Certified takes why the node has no new certificate for OVN, nil where it has
// one.
func (a *Agent) Certified(err error) {
	a.reporter.tell(func(v *nodeView) { v.uncertified = err })
}

// follow has every change in the caches wake those that it concerns.
func (a *Agent) follow() error {
	return errors.Join(
		a.node.OnPod(func(before, after *corev1.Pod) {
			a.changed.Raise()
			a.watcher.podChanged(cmp.Or(after, before))
			a.sweeper.podChanged(before, after)
		}),
		a.node.OnSelf(func(_, _ *v1alpha1.L2Node) { a.reporter.wake() }),
		a.node.OnAttachment(func(before, after *v1alpha1.L2Attachment) {
			a.changed.Raise()
			a.watcher.wake(keyOf(cmp.Or(after, before)))
		}),
	)
}

// Run serves the node until ctx ends. While the API server is away it waits,
// and answers health probes.
func (a *Agent) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(logr.NewContext(ctx, a.log))
	filled := make(chan struct{})
	all.Go(func() error { return a.serveProbes(ctx) })
	all.Go(func() error { return a.serveMetrics(ctx) })
	all.Go(func() error {
		a.node.Run(ctx, func() { close(filled) })
		return nil
	})
	all.Go(func() error {
		select {
		case <-filled:
			return a.work(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	return all.Wait()
}

// work needs the caches to be filled. So does the firewall, although it reads none:
// its table outlives agents, and after a reboot no pod starts before the API server
// has told of it.
func (a *Agent) work(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context) error{
		a.serve, a.early.run, a.firewall.Run, a.reporter.run, a.settler.run, a.watcher.run, a.watcher.followLinks, a.sweeper.run, a.underlay.run,
	} {
		all.Go(func() error { return part(ctx) })
	}
	return all.Wait()
}

// tunnelsAt takes the tunnels' addresses and the interfaces that hold them.
func (a *Agent) tunnelsAt(ips []netip.Addr, holders []link.Holder) {
	a.reporter.tunnels(ips, holders)
	if interfaces, known := arrivals(holders); known {
		vrf := slices.ContainsFunc(holders, func(h link.Holder) bool { return h.VRF != "" })
		a.firewall.SetTunnels(!vrf, interfaces...)
	}
}

// serve answers calls until ctx ends. The connection to OVS outlives it: calls
// that are cut short undo their work.
func (a *Agent) serve(ctx context.Context) error {
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.ovs.Start(connected) }()
	err := cni.Serve(ctx, a.config.CNISocket, a.call)
	disconnect()
	if err := errors.Join(err, <-done, a.cri.Close()); err != nil {
		return fmt.Errorf("serve the CNI plugin: %w", err)
	}
	return nil
}
