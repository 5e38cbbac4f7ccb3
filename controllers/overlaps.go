package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/overlap"
)

// OverlapReconciler follows the cluster's own addresses, and has those networks
// looked at whose subnets overlap others than before. It has one key, since many
// nodes join at once: what changes meanwhile is one reconcile.
type OverlapReconciler struct {
	client.Reader
	ranges   *clusterRanges
	ledger   *admission.Ledger
	statuses *wakeups
	// told are the ranges that all networks were compared with.
	told *overlap.Index
	// watchServices watches ServiceCIDRs from now on, which watches notes.
	watchServices func() error
	watches       bool
}

// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=servicecidrs,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch

// Reconcile compares all networks with the cluster's ranges, if these have
// changed. A network that comes meanwhile is compared by its own reconcile.
func (r *OverlapReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	if err := r.ranges.read(ctx); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.tell(ctx, r.ranges.now()); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.follow()
}

func (r *OverlapReconciler) tell(ctx context.Context, now *overlap.Index) error {
	if now == r.told {
		return nil
	}
	networks := &v1alpha1.L2NetworkList{}
	if err := r.List(ctx, networks, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	var changed []types.NamespacedName
	for i := range networks.Items {
		if n := &networks.Items[i]; !slices.Equal(r.told.Find(n), now.Find(n)) {
			changed = append(changed, n.Key())
		}
	}
	r.ledger.Reconsider(changed...)
	r.statuses.wake(changed...)
	r.told = now
	return nil
}

// follow watches ServiceCIDRs once there are any: a watch of a kind that the API
// does not serve ends the manager.
func (r *OverlapReconciler) follow() error {
	if r.watches || !r.ranges.services.Load() {
		return nil
	}
	if err := r.watchServices(); err != nil {
		return fmt.Errorf("watch ServiceCIDRs: %w", err)
	}
	r.watches = true
	return nil
}

func (s *setup) overlaps() error {
	r := &OverlapReconciler{
		Reader: s.mgr.GetClient(), ranges: s.placement.ranges, ledger: s.placement.ledger, statuses: s.statuses,
		told: overlap.NewIndex(nil),
	}
	c, err := ctrl.NewControllerManagedBy(s.mgr).Named("overlaps").
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(theCluster), builder.WithPredicates(otherRanges)).
		WatchesRawSource(source.Func(func(_ context.Context, q queue) error {
			q.Add(ctrl.Request{}) // there may be no node
			return nil
		})).
		WithOptions(s.options("overlaps", 1)).
		Build(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the overlap controller: %w", err)
	}
	r.watchServices = func() error {
		every := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *networkingv1.ServiceCIDR) []reconcile.Request {
			return []reconcile.Request{{}}
		})
		return c.Watch(source.Kind(s.mgr.GetCache(), &networkingv1.ServiceCIDR{}, every))
	}
	return nil
}

// theCluster is the one key.
func theCluster(context.Context, client.Object) []reconcile.Request { return []reconcile.Request{{}} }

// otherRanges pass nodes that come, go, or have other ranges than before: most
// of a node's updates are heartbeats.
var otherRanges = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*corev1.Node), e.ObjectNew.(*corev1.Node)
		return !slices.Equal(was.Spec.PodCIDRs, is.Spec.PodCIDRs) || !slices.Equal(was.Status.Addresses, is.Status.Addresses)
	},
}
