package controllers

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/stretch"
)

// EdgeReconciler finds which node carries the networks that go on in other clusters, and
// has all of them written when that is another than before: a take-over waits for it.
type EdgeReconciler struct {
	client.Client
	Recorder  events.EventRecorder
	stretches *stretches
	networks  *wakeups
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2edges,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2edges/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2nodes,verbs=get;list;watch

// Reconcile has networks follow first, and says so after.
func (r *EdgeReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	seen, err := r.stretches.look(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if seen.changed {
		keys, err := r.stretches.keysNaming(ctx, stretchIndexed)
		if err != nil {
			return ctrl.Result{}, err
		}
		r.networks.wake(keys...)
		log.FromContext(ctx).Info("Networks that are stretched follow another edge", "node", seen.edge.Active, "networks", len(keys))
	}
	if seen.object == nil {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.report(ctx, seen)
}

// report writes the L2Edge's status, if it differs, and tells of what is another.
func (r *EdgeReconciler) report(ctx context.Context, seen sighting) error {
	edge, before := seen.object, seen.object.Status
	ready := stretch.EdgeReady(edge.Spec.Encryption, seen.status)
	ready.ObservedGeneration = edge.Generation
	meta.SetStatusCondition(&seen.status.Conditions, ready)
	if equality.Semantic.DeepEqual(before, seen.status) {
		return nil
	}
	if err := replaceStatus(ctx, r, edgeKind, edge, seen.status); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("patch status of L2Edge %q: %w", edge.Name, err)
	}
	if seen.status.Active != "" && seen.status.Active != before.Active {
		emit(r.Recorder, edge, v1alpha1.TookOverEvent(seen.status.Active, before.Active))
	}
	stood := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady)
	if ready.Status == metav1.ConditionFalse && (stood == nil || stood.Reason != ready.Reason) {
		emit(r.Recorder, edge, v1alpha1.EdgeNotReadyEvent(ready.Reason, ready.Message))
	}
	return nil
}

// sighting is what was found of the L2Edge, nil for none, the status that it is to have,
// and of it what networks depend on.
type sighting struct {
	object  *v1alpha1.L2Edge
	status  v1alpha1.L2EdgeStatus
	edge    stretch.Edge
	changed bool
}

// look finds which node carries the networks, from now on for those that are judged. It
// is one at a time, so that the last one is of the newest state.
func (s *stretches) look(ctx context.Context) (sighting, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	seen := sighting{edge: stretch.Edge{Why: fmt.Sprintf("there is no L2Edge %q, which the administrator makes", v1alpha1.EdgeName)}}
	edge := &v1alpha1.L2Edge{}
	err := s.reads.cached.Get(ctx, client.ObjectKey{Name: v1alpha1.EdgeName}, edge)
	if client.IgnoreNotFound(err) != nil {
		return sighting{}, fmt.Errorf("get L2Edge %q: %w", v1alpha1.EdgeName, err)
	}
	if err == nil {
		seen.object = edge
		lease, picked, err := s.candidates(ctx, edge)
		if err != nil {
			return sighting{}, err
		}
		last := edge.DeepCopy()
		if was := s.edgeNow(); was.Active != "" {
			last.Status.Active = was.Active // the cache may be behind
		}
		seen.status, seen.edge = stretch.EdgeStatus(last, picked, holderOf(lease))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen.changed = s.looked && s.edge != seen.edge
	s.edge, s.looked = seen.edge, true
	return seen, nil
}

// candidates are the nodes that the L2Edge picks, and the Lease that one of them may
// hold: an empty one where there is none.
func (s *stretches) candidates(ctx context.Context, edge *v1alpha1.L2Edge) (*coordinationv1.Lease, []stretch.Candidate, error) {
	lease := &coordinationv1.Lease{}
	if err := s.reads.cached.Get(ctx, systemKey(v1alpha1.EdgeLease), lease); client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("get Lease %q: %w", v1alpha1.EdgeLease, err)
	}
	nodes := &corev1.NodeList{}
	of := client.MatchingLabelsSelector{Selector: labels.SelectorFromSet(edge.Spec.NodeSelector)}
	if err := s.reads.cached.List(ctx, nodes, of, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list nodes: %w", err)
	}
	var picked []stretch.Candidate
	for i := range nodes.Items {
		node, ours := &nodes.Items[i], &v1alpha1.L2Node{}
		err := s.reads.cached.Get(ctx, client.ObjectKey{Name: node.Name}, ours, client.UnsafeDisableDeepCopy)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, nil, fmt.Errorf("get L2Node %q: %w", node.Name, err)
		}
		picked = append(picked, stretch.Candidate{
			Name: node.Name, Annotated: node.Annotations[v1alpha1.EdgeAddressAnnotation], Tunnels: ours.Status.TunnelAddresses,
		})
	}
	return lease, picked, nil
}

// edge adds what follows the L2Edge. The status of its Lease's holder, its nodes and
// their addresses are one state, so there is one key.
func (s *setup) edge() error {
	r := &EdgeReconciler{
		Client: s.mgr.GetClient(), Recorder: s.mgr.GetEventRecorder(fieldOwner),
		stretches: s.placement.stretches, networks: s.networks,
	}
	toEdge := handler.EnqueueRequestsFromMapFunc(theEdge)
	err := ctrl.NewControllerManagedBy(s.mgr).Named("l2edge").
		Watches(&v1alpha1.L2Edge{}, toEdge).
		Watches(&coordinationv1.Lease{}, toEdge, builder.WithPredicates(otherHolder)).
		Watches(&corev1.Node{}, toEdge, builder.WithPredicates(edgeNodes)).
		Watches(&v1alpha1.L2Node{}, toEdge, builder.WithPredicates(otherTunnels)).
		WithOptions(s.options("l2edge", 1)).
		Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the edge controller: %w", err)
	}
	return nil
}
