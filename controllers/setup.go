package controllers

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/multus"
	"l2sm.io/l2sm/internal/tunnelkey"
	"l2sm.io/l2sm/internal/turn"
	"l2sm.io/l2sm/ovn"
)

// Config is what the controllers need beside a manager.
type Config struct {
	Fabric v1alpha1.Fabric
	// TunnelKeys are those of networks.
	TunnelKeys tunnelkey.Range
	// Northbound and Southbound are nil where each node has databases of its own.
	Northbound *ovn.Client
	Southbound *ovn.Southbound
	// MaxMTU is the largest that pods may have, in bytes.
	MaxMTU int32
	// RefuseOverlaps refuses new networks whose subnets are the cluster's own, in
	// place of a warning.
	RefuseOverlaps bool
	// AttachBy is the agents' setting: where it is NRI, no policy is needed.
	AttachBy v1alpha1.AttachBy
	// ControlAuthority is that of the databases' certificates, in PEM: nodes are
	// told to trust it. Empty where there are none: then nodes get none either.
	ControlAuthority string
	// SharedAuthority returns that of v0.1.0, in PEM, or nothing. It is trusted while
	// there are nodes of that version.
	SharedAuthority func() string
	// NodeCertificateLifetime is the longest of a node's certificate.
	NodeCertificateLifetime time.Duration
}

// Setup adds all controllers to the manager.
func Setup(mgr ctrl.Manager, c Config) error {
	s := newSetup(mgr, c)
	adds := []func() error{s.edge, s.network, s.status, s.attachment, s.networkStatus, s.remotes, s.overlaps, s.peers, s.podPolicy}
	if !c.Fabric.Zoned() {
		adds = append(adds, s.node, s.registration, s.identities)
	}
	for _, add := range adds {
		if err := add(); err != nil {
			return err
		}
	}
	pods, err := s.pod()
	if err != nil {
		return err
	}
	if err := mgr.AddMetricsServerExtraHandler(inventory.Path, serveInventory(s.placement.ledger, mgr.Elected())); err != nil {
		return fmt.Errorf("serve the inventory: %w", err)
	}
	for path, profile := range inventory.Profiles() {
		if err := mgr.AddMetricsServerExtraHandler(path, profile); err != nil {
			return fmt.Errorf("serve %s: %w", path, err)
		}
	}
	crd, err := watchCRD(mgr.GetConfig(), multusCRD)
	if err != nil {
		return err
	}
	return mgr.Add(&awaitKind{
		mapper: mgr.GetRESTMapper(), kind: multusKind, crd: crd,
		absent: func(ctx context.Context) {
			log.FromContext(ctx).Info("Keeping no definitions for Multus", "reason", errNoMultus.Error())
		},
		start: func(context.Context) error { return s.definitions(pods) },
	})
}

// setup is what the controllers share.
type setup struct {
	mgr                             ctrl.Manager
	config                          Config
	placement                       *placement
	networks, attachments, statuses *wakeups
	authorities, policies           *wakeups
	ports                           *ports
	names                           *interfaceNames
	stages                          *stages
	memory                          *memory
	policy                          *podPolicy
}

// countsLater is how long a network's count of attachments may be behind: what
// changes it meanwhile is one write.
const countsLater = 200 * time.Millisecond

func newSetup(mgr ctrl.Manager, c Config) setup {
	s := setup{
		mgr: mgr, config: c,
		networks: &wakeups{}, attachments: &wakeups{}, statuses: &wakeups{}, authorities: &wakeups{}, policies: &wakeups{},
		ports: newPorts(), names: &interfaceNames{}, stages: newStages(), memory: newMemory(tuneGC, debug.FreeOSMemory),
		policy: &podPolicy{},
	}
	ranges := newClusterRanges(mgr.GetClient(), mgr.GetRESTMapper())
	cluster := admission.Cluster{MaxMTU: c.MaxMTU}
	if c.RefuseOverlaps {
		cluster.Refused = ranges.now
	}
	ledger := admission.NewLedger(cluster, admission.Wake{
		Attachments: s.attachments.wake,
		Networks:    s.networks.wake,
		Members:     func(keys ...types.NamespacedName) { s.statuses.wakeLater(countsLater, keys...) },
	})
	keys := newTunnelKeys(c.Fabric, c.TunnelKeys, keyWake{networks: s.networks.wake, attachments: s.wakeOwners})
	read := reads{cached: mgr.GetClient(), live: mgr.GetAPIReader()}
	s.placement = &placement{
		reads:     read,
		stretches: newStretches(read, keys, c, s.networks),
		ledger:    ledger, keys: keys, loaded: &loading{}, ranges: ranges, turns: turn.New(), maxMTU: c.MaxMTU,
	}
	if c.Southbound != nil {
		s.placement.given = c.Southbound.Bindings
	}
	if c.Fabric == v1alpha1.FabricOVNKubernetes {
		s.placement.peers = newPeerNetworks(s.placement.reads)
	}
	return s
}

// wakeOwners has the owners of ports looked at: attachments, and networks that have an
// edge's.
func (s *setup) wakeOwners(owners ...types.NamespacedName) {
	for _, owner := range owners {
		if network, is := v1alpha1.NetworkOfEdge(owner); is {
			s.networks.wake(network)
			continue
		}
		s.attachments.wake(owner)
	}
}

// maxBackoff bounds the wait after an error that repeats. What a reconcile
// waits for is mostly an event, and comes sooner.
const maxBackoff = 30 * time.Second

func (s *setup) options(name string, workers int) controller.Options {
	// The priority queue of controller-runtime 0.24 may hang when it is shut
	// down, and a leader that hangs does not hand over
	// (kubernetes-sigs/controller-runtime#3538).
	plain := false
	log := s.mgr.GetLogger().WithValues("controller", name)
	return controller.Options{
		LogConstructor: func(req *ctrl.Request) logr.Logger {
			if req == nil {
				return log
			}
			return log.WithValues("object", klog.KRef(req.Namespace, req.Name))
		},
		UsePriorityQueue:        &plain,
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](5*time.Millisecond, maxBackoff),
	}
}

func (s *setup) pod() (controller.Controller, error) {
	r := &PodReconciler{
		Client: s.mgr.GetClient(), placement: s.placement, attachments: s.attachments, names: s.names, stages: s.stages,
		Recorder: s.mgr.GetEventRecorder(fieldOwner),
	}
	c, err := ctrl.NewControllerManagedBy(s.mgr).Named("pod").
		For(&corev1.Pod{}, builder.WithPredicates(podChanges(s.names, s.stages))).
		Watches(&v1alpha1.L2Attachment{}, handler.EnqueueRequestsFromMapFunc(r.awaited.podsOf), builder.WithPredicates(attachmentSpecChanges)).
		WithOptions(s.options("pod", 16)). // each waits for one API write
		Build(s.memory.watch(r))
	if err != nil {
		return nil, fmt.Errorf("set up the pod controller: %w", err)
	}
	return c, nil
}

func (s *setup) network() error {
	r := &L2NetworkReconciler{
		Client: s.mgr.GetClient(), Northbound: s.config.Northbound,
		Recorder:  s.mgr.GetEventRecorder(fieldOwner),
		placement: s.placement, ports: s.ports, filling: &filling{}, stages: s.stages,
		attachments: s.attachments, networks: s.networks, statuses: s.statuses, authorities: s.authorities,
	}
	if s.config.Fabric.Zoned() {
		r.Northbound = nodesOwn{}
	}
	b := ctrl.NewControllerManagedBy(s.mgr).Named("l2network").
		For(&v1alpha1.L2Network{}, builder.WithPredicates(predicate.Or(predicate.Predicate(specChanges), tunnelKeyChanges))).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.networksOf), builder.WithPredicates(terminating)).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(s.placement.stretches.ofNamespace), builder.WithPredicates(relabelled)).
		Watches(&v1alpha1.L2Peer{}, handler.EnqueueRequestsFromMapFunc(s.placement.stretches.ofPeer), builder.WithPredicates(allowsElse)).
		WatchesRawSource(s.networks)
	if !s.config.Fabric.Zoned() {
		b.WatchesRawSource(source.Func(func(ctx context.Context, q queue) error {
			go r.follow(ctx, s.config.Northbound, q)
			return nil
		}))
	}
	err := b.WithOptions(s.options("l2network", 8)).Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the network controller: %w", err)
	}
	return nil
}

func (s *setup) status() error {
	r := &L2NetworkStatusReconciler{
		Client: s.mgr.GetClient(), Recorder: s.mgr.GetEventRecorder(fieldOwner),
		placement: s.placement, ports: s.ports, policy: s.policy,
	}
	b := ctrl.NewControllerManagedBy(s.mgr).Named("l2networkstatus").
		For(&v1alpha1.L2Network{}, builder.WithPredicates(networkChanges)).
		Watches(&v1alpha1.L2Peer{}, s.placement.stretches.peerEvents()).
		WatchesRawSource(s.statuses)
	if s.placement.peers != nil {
		b.WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(s.placement.peers.ofNamespace), builder.WithPredicates(relabelled))
	}
	err := b.WithOptions(s.options("l2networkstatus", 8)).Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the network status controller: %w", err)
	}
	return nil
}

func (s *setup) attachment() error {
	r := &L2AttachmentReconciler{
		Client: s.mgr.GetClient(), Recorder: s.mgr.GetEventRecorder(fieldOwner),
		placement: s.placement, ports: s.ports, networks: s.networks, names: s.names, stages: s.stages,
	}
	b := ctrl.NewControllerManagedBy(s.mgr).Named("l2attachment").
		Watches(&v1alpha1.L2Attachment{}, attachmentEvents(s.placement, s.names, s.stages)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(userMadeFor(s.mgr.GetClient())), builder.WithPredicates(podLives)).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(s.placement.guestsOf), builder.WithPredicates(relabelled)).
		Watches(&v1alpha1.L2Node{}, handler.EnqueueRequestsFromMapFunc(r.waiting.requests), builder.WithPredicates(nodeReadyChanges)).
		WatchesRawSource(s.attachments)
	if s.config.Fabric.Zoned() {
		b.Watches(&v1alpha1.L2Network{}, handler.EnqueueRequestsFromMapFunc(s.placement.attachmentsOf), builder.WithPredicates(keyedChanges))
	} else {
		b.WatchesRawSource(source.Func(func(ctx context.Context, q queue) error {
			go r.floods.follow(ctx, s.config.Southbound, q)
			return nil
		}))
	}
	err := b.WithOptions(s.options("l2attachment", 16)).Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the attachment controller: %w", err)
	}
	return nil
}

func (s *setup) node() error {
	r := &NodeReconciler{Client: s.mgr.GetClient(), Live: s.mgr.GetAPIReader(), Southbound: s.config.Southbound}
	err := ctrl.NewControllerManagedBy(s.mgr).Named("node").
		For(&corev1.Node{}, builder.WithPredicates(comesOrGoes)).
		WatchesRawSource(source.Func(func(ctx context.Context, q queue) error {
			go r.follow(ctx, s.config.Southbound.Changes(), q)
			return nil
		})).
		WithOptions(s.options("node", 1)).
		Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the node controller: %w", err)
	}
	return nil
}

func (s *setup) networkStatus() error {
	r := &NetworkStatusReconciler{Client: s.mgr.GetClient(), First: s.config.AttachBy == v1alpha1.AttachNRI}
	err := ctrl.NewControllerManagedBy(s.mgr).Named("networkstatus").
		For(&corev1.Pod{}, builder.WithPredicates(networkStatusChanges)).
		Watches(&v1alpha1.L2Attachment{}, handler.EnqueueRequestsFromMapFunc(podOfAttachment), builder.WithPredicates(readyChanges)).
		WithOptions(s.options("networkstatus", 4)).
		Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the network-status controller: %w", err)
	}
	return nil
}

// definitions starts what watches NetworkAttachmentDefinitions.
func (s *setup) definitions(pods controller.Controller) error {
	r := &DefinitionReconciler{Client: s.mgr.GetClient(), Recorder: s.mgr.GetEventRecorder(fieldOwner)}
	err := ctrl.NewControllerManagedBy(s.mgr).Named("definition").
		For(&nadv1.NetworkAttachmentDefinition{}).
		Watches(&v1alpha1.L2Network{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Func(func(_ context.Context, q queue) error {
			q.Add(ctrl.Request{NamespacedName: multus.PodNetworks})
			return nil
		})).
		WithOptions(s.options("definition", 1)).
		Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the definition controller: %w", err)
	}
	named := podsNaming(s.mgr.GetClient())
	return pods.Watch(source.Kind(s.mgr.GetCache(), &nadv1.NetworkAttachmentDefinition{}, named))
}
