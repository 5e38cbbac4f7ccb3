package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// Northbound is the database that networks are written to.
type Northbound interface {
	Apply(ctx context.Context, network ovn.Network) (ovn.Result, error)
	Delete(ctx context.Context, key ovn.Key) error
	Complete(ctx context.Context, networks []ovn.Key) (bool, error)
	Connected() bool
}

// L2NetworkReconciler makes the northbound database hold each network with its
// attachments' ports. A burst of attachments coalesces: a reconcile says the
// whole network, and is one transaction.
type L2NetworkReconciler struct {
	client.Client
	Admission  *Admission
	Northbound Northbound
	Recorder   events.EventRecorder
	// attachments are woken when a commit, or a freed address, concerns them,
	// networks when a move has freed addresses of theirs.
	attachments *wakeups
	networks    *wakeups
	committed   *committed
	filling     *filling
	stages      *stages
}

// networkFacts are what a reconcile gathers.
type networkFacts struct {
	// accepted attachments have their port here, refused ones have none.
	accepted, refused []*v1alpha1.L2Attachment
	// leaving attachments have their port here still, or again: their new
	// network takes it over. Reserving ones wait for their pod.
	leaving, reserving []*v1alpha1.L2Attachment
	// users keep the network: whoever has an address or a port on it.
	users []string
	// detaches says that the network goes with its namespace, whoever uses it.
	detaches bool
	// invalid is why the spec, or its ipam, is not in force.
	invalid error
	// programming is why the database does not hold what it shall.
	programming error
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks/status,verbs=patch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile brings one network's logical switch in line with the API, and says
// so when it was the last one that was missing.
func (r *L2NetworkReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, req)
	return result, errors.Join(err, r.complete(ctx))
}

func (r *L2NetworkReconciler) reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	network := &v1alpha1.L2Network{}
	err := r.Get(ctx, req.NamespacedName, network)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, retried(r.gone(ctx, req.NamespacedName))
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get network %q: %w", req.NamespacedName, err)
	}
	if err := r.guard(ctx, network); err != nil {
		return settled(err)
	}

	facts, err := r.gather(ctx, network)
	if err != nil {
		return settled(err)
	}
	goes := !network.DeletionTimestamp.IsZero() && (len(facts.users) == 0 || facts.detaches)
	if goes {
		facts.programming = r.finalize(ctx, network)
	} else {
		facts.programming = r.program(ctx, network, facts)
	}
	if goes && facts.programming == nil {
		if facts.detaches {
			r.Admission.Allocations.Drop(req.NamespacedName)
		}
		return ctrl.Result{}, nil
	}
	r.attachments.wake(concerned(network, facts, r.Admission.UnderlayMTU)...)
	if err := r.report(ctx, network, facts); err != nil {
		return ctrl.Result{}, err
	}
	return settled(retried(facts.programming))
}

// retried are errors that a retry can mend. The return of a lost connection
// brings every network here.
func retried(err error) error {
	if errors.Is(err, ovn.ErrNotConnected) {
		return nil
	}
	return err
}

// guard puts the finalizer on a network before its switch is made.
func (r *L2NetworkReconciler) guard(ctx context.Context, network *v1alpha1.L2Network) error {
	before := network.DeepCopy()
	if !network.DeletionTimestamp.IsZero() || !controllerutil.AddFinalizer(network, v1alpha1.NetworkFinalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, network, patch, client.FieldOwner(fieldOwner)); err != nil {
		return fmt.Errorf("add finalizer to network %q: %w", client.ObjectKeyFromObject(network), err)
	}
	return nil
}

func (r *L2NetworkReconciler) gather(ctx context.Context, network *v1alpha1.L2Network) (networkFacts, error) {
	key, facts := client.ObjectKeyFromObject(network), networkFacts{}
	err := r.Admission.Allocations.Prepare(ctx, network)
	if refused, ok := asRefusal(err); ok {
		facts.invalid, err = refused, nil
	}
	if err != nil {
		return networkFacts{}, err
	}

	if facts.detaches, err = r.Admission.Detaches(ctx, network); err != nil {
		return networkFacts{}, err
	}
	list, err := r.attachmentsOf(ctx, key)
	if err != nil {
		return networkFacts{}, err
	}
	for i := range list {
		if err := r.place(ctx, network, &list[i], &facts); err != nil {
			return networkFacts{}, err
		}
	}
	if facts.users, err = r.Admission.Allocations.Holders(ctx, key); err != nil {
		return networkFacts{}, err
	}
	return facts, nil
}

func (r *L2NetworkReconciler) attachmentsOf(ctx context.Context, network types.NamespacedName) ([]v1alpha1.L2Attachment, error) {
	list := &v1alpha1.L2AttachmentList{}
	err := r.List(ctx, list, client.MatchingFields{networkIndex: network.String()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list attachments of network %q: %w", network, err)
	}
	return list.Items, nil
}

// place says what an attachment is to the network that it names, or is on.
func (r *L2NetworkReconciler) place(ctx context.Context, network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, facts *networkFacts) error {
	into, err := r.placeOf(ctx, network, a, facts)
	if _, refused := asRefusal(err); refused {
		into, err = &facts.refused, nil
	}
	if err == nil && into != nil {
		*into = append(*into, a)
	}
	return err
}

func (r *L2NetworkReconciler) placeOf(ctx context.Context, network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, facts *networkFacts) (*[]*v1alpha1.L2Attachment, error) {
	if !a.Complete() {
		return &facts.refused, nil
	}
	pod, err := r.Admission.Pod(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := mayHavePort(a, pod); err != nil {
		return nil, err
	}
	names := a.NetworkKey() == client.ObjectKeyFromObject(network)
	switch {
	case !a.Bound() && names:
		return &facts.reserving, r.Admission.acceptOn(ctx, network, a)
	case !a.Bound():
		return nil, nil
	case names:
		return &facts.accepted, r.Admission.acceptOn(ctx, network, a)
	}
	// It moves to another network, unless that one refuses it.
	err = r.Admission.Accept(ctx, a, pod)
	if _, refused := asRefusal(err); refused {
		return &facts.accepted, r.Admission.acceptOn(ctx, network, a)
	}
	return &facts.leaving, err
}

// program commits the network, in one transaction, and none where nothing
// differs.
func (r *L2NetworkReconciler) program(ctx context.Context, network *v1alpha1.L2Network, facts networkFacts) error {
	if !r.Northbound.Connected() {
		return ovn.ErrNotConnected
	}
	result, err := r.Northbound.Apply(ctx, topology.For(network, facts.accepted, facts.leaving, r.Admission.UnderlayMTU))
	key := client.ObjectKeyFromObject(network)
	if errors.Is(err, ovn.ErrNotConnected) {
		return err
	}
	r.filling.settle(key, err == nil)
	if err != nil {
		return err
	}
	if result.Committed {
		transactions.Inc()
		log.FromContext(ctx).Info("Northbound committed", "switch", ovn.Key{Namespace: network.Namespace, Name: network.Name}.Switch(),
			"added", result.Added, "moved", result.Moved, "changed", result.Changed, "removed", result.Removed)
	}
	changed := r.committed.set(key, facts.accepted)
	r.stages.portsCommitted(changed)
	r.attachments.wake(changed...)
	r.networks.wake(r.Admission.Allocations.Settle(key, facts.accepted)...)
	return nil
}

// finalize removes the switch of a network that nobody uses, and lets it go.
func (r *L2NetworkReconciler) finalize(ctx context.Context, network *v1alpha1.L2Network) error {
	if err := r.sweep(ctx, client.ObjectKeyFromObject(network)); err != nil {
		return err
	}
	before := network.DeepCopy()
	if !controllerutil.RemoveFinalizer(network, v1alpha1.NetworkFinalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, network, patch, client.FieldOwner(fieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer of network %q: %w", client.ObjectKeyFromObject(network), err)
	}
	return nil
}

// gone cleans up behind a network that the API does not have, and lets the
// attachments that name it say so.
func (r *L2NetworkReconciler) gone(ctx context.Context, key types.NamespacedName) error {
	list, err := r.attachmentsOf(ctx, key)
	if err != nil {
		return err
	}
	for i := range list {
		r.attachments.wake(client.ObjectKeyFromObject(&list[i]))
	}
	return r.sweep(ctx, key)
}

// sweep removes what the database holds of a network.
func (r *L2NetworkReconciler) sweep(ctx context.Context, key types.NamespacedName) error {
	if !r.Northbound.Connected() {
		return ovn.ErrNotConnected
	}
	r.filling.settle(key, false)
	if err := r.Northbound.Delete(ctx, ovn.Key{Namespace: key.Namespace, Name: key.Name}); err != nil {
		return fmt.Errorf("delete network %q from the northbound database: %w", key, err)
	}
	r.attachments.wake(r.committed.set(key, nil)...)
	return nil
}

// report patches the network's status, if it differs, and tells of what has
// turned bad.
func (r *L2NetworkReconciler) report(ctx context.Context, network *v1alpha1.L2Network, facts networkFacts) error {
	before := network.DeepCopy()
	network.Status = networkStatus(network, facts, r.Admission.UnderlayMTU)
	if equality.Semantic.DeepEqual(before.Status, network.Status) {
		return nil
	}
	if err := r.Status().Patch(ctx, network, client.MergeFrom(before), client.FieldOwner(fieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("patch status of network %q: %w", client.ObjectKeyFromObject(network), err)
	}
	for _, e := range newEvents(before.Status.Conditions, network.Status.Conditions, facts) {
		emit(r.Recorder, network, e)
	}
	return nil
}
