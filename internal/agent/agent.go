package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/wake"
)

// name is the agent's in managedFields and in events.
const name = "l2sm-agent"

// Config is what the agent needs beside a manager.
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
	// UnderlayMTU is the cluster's, in bytes.
	UnderlayMTU int32
	// SysctlRoot is where /proc/sys can be written.
	SysctlRoot string
	// AttachTimeout and InstallTimeout bound the two waits of an ADD; their
	// zero values stand for the defaults.
	AttachTimeout, InstallTimeout time.Duration

	// step is plugger's, for tests.
	step func(done string)
}

// Agent serves one node.
type Agent struct {
	plugger
	log logr.Logger
	// client reads from caches of this node's objects, live from the API.
	client, live client.Reader
	cri          *cri.Client
	timeouts     struct{ attach, install time.Duration }

	// pods holds one lock a pod UID: calls for one pod come one by one.
	pods locks
	// torn are the containers whose sandbox is torn down: the runtime lists
	// them as ready for a while.
	torn containers
	// underWay are the containers of calls that are served now.
	underWay containers
	// changed is raised when the caches get anything that an ADD may wait for.
	changed wake.Signal
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch

// CacheOptions limits the manager's caches to what the node needs: its own
// pods and attachments.
func CacheOptions(node string) cache.Options {
	own := cache.ByObject{Field: fields.OneTermEqualSelector("spec.nodeName", node)}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{&corev1.Pod{}: own, &v1alpha1.L2Attachment{}: own},
	}
}

// Setup adds the agent to a manager with CacheOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, c Config) error {
	a := &Agent{
		log:    mgr.GetLogger().WithName("cni"),
		client: mgr.GetClient(),
		live:   mgr.GetAPIReader(),
	}
	watcher := &watcher{Agent: a, api: mgr.GetClient()}
	settler := newSettler(a, mgr.GetLogger().WithName("moves"))
	vswitch, err := ovs.New(c.OVSDB, mgr.GetLogger().WithName("ovs"), func(p ovs.Port) {
		settler.portChanged(p)
		watcher.portChanged(p)
	})
	if err != nil {
		return err
	}
	a.plugger = plugger{links: link.New(c.SysctlRoot), ovs: vswitch, step: c.step}
	if a.cri, err = cri.New(cmp.Or(c.CRI, cri.Socket())); err != nil {
		return err
	}
	a.timeouts.attach, a.timeouts.install = orDefault(c.AttachTimeout, attachTimeout), orDefault(c.InstallTimeout, installTimeout)

	if err := a.watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	sweeper := &sweeper{Agent: a}
	if err := errors.Join(watcher.setup(mgr), sweeper.setup(mgr)); err != nil {
		return err
	}
	underlay := &underlay{
		log: mgr.GetLogger().WithName("underlay"), recorder: mgr.GetEventRecorder(name),
		ovs: vswitch, node: c.Node, want: int(c.UnderlayMTU),
	}
	serve := manager.RunnableFunc(func(ctx context.Context) error { return a.serve(ctx, c.CNISocket) })
	for _, r := range []manager.Runnable{serve, settler, manager.RunnableFunc(watcher.followLinks), underlay} {
		if err := mgr.Add(r); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	gather := func(ctx context.Context) (inventory.Node, error) { return a.inventory(ctx, c.Node) }
	if err := mgr.AddMetricsServerExtraHandler(inventory.Path, inventory.Handler(gather)); err != nil {
		return fmt.Errorf("serve the inventory: %w", err)
	}
	return mgr.AddReadyzCheck("ovs", func(r *http.Request) error { return vswitch.Ready(r.Context()) })
}

// serve answers calls until ctx ends. The connection to OVS outlives it: calls
// that are cut short undo their work.
func (a *Agent) serve(ctx context.Context, socket string) error {
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.ovs.Start(connected) }()
	err := cni.Serve(ctx, socket, a.call)
	disconnect()
	return errors.Join(err, <-done, a.cri.Close())
}

// watch fills the caches and has every change of them wake the calls that
// wait.
func (a *Agent) watch(ctx context.Context, informers cache.Cache) error {
	for _, kind := range []client.Object{&corev1.Pod{}, &v1alpha1.L2Attachment{}} {
		informer, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(raiser{&a.changed}); err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return nil
}

// raiser is a client-go event handler that only says that there was something.
type raiser struct{ signal *wake.Signal }

func (r raiser) OnAdd(any, bool)   { r.signal.Raise() }
func (r raiser) OnUpdate(any, any) { r.signal.Raise() }
func (r raiser) OnDelete(any)      { r.signal.Raise() }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
