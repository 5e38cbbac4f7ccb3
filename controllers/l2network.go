package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// Northbound is the database that networks are written to.
type Northbound interface {
	Apply(ctx context.Context, network ovn.Network) (ovn.Result, error)
	ApplyPorts(ctx context.Context, changes ovn.PortChanges) (ovn.Result, error)
	Delete(ctx context.Context, key ovn.Key) error
	Complete(ctx context.Context, networks []ovn.Key) (bool, error)
	Connected() bool
}

// L2NetworkReconciler makes the northbound database hold each network with its
// attachments' ports. What it writes is what has changed since the last write;
// a network is compared as a whole after a connection was made, when its spec
// comes into force, and when somebody else has changed its rows. A burst of
// attachments coalesces into one transaction.
type L2NetworkReconciler struct {
	client.Client
	Northbound Northbound
	Recorder   events.EventRecorder
	placement  *placement
	ports      *ports
	programs   *programs
	filling    *filling
	stages     *stages
	settling   settling
	// attachments are woken when a commit concerns them, networks when a move has
	// freed what was held on them, statuses when there is something to say.
	attachments, networks, statuses *wakeups
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch

// Reconcile brings one network's logical switch in line with the API, and marks
// the database when it was the last one that was missing.
func (r *L2NetworkReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.placement.loaded.wait(ctx, r.placement); err != nil {
		return ctrl.Result{}, err
	}
	result, err := r.settling.result(req, retried(r.reconcile(ctx, req.NamespacedName)))
	return result, errors.Join(err, r.complete(ctx))
}

// networkFacts are what a reconcile gathers.
type networkFacts struct {
	network *v1alpha1.L2Network
	admission.Report
	// goes says that the network goes with its namespace, whatever is attached.
	goes bool
}

func (r *L2NetworkReconciler) reconcile(ctx context.Context, key types.NamespacedName) error {
	network, err := r.placement.network(ctx, key)
	if err != nil {
		return err
	}
	if network == nil {
		return r.gone(ctx, key)
	}
	if err := r.guard(ctx, network); err != nil {
		return err
	}
	f := networkFacts{network: network}
	if f.Report, err = r.judge(ctx, network); err != nil {
		return err
	}
	if f.goes, err = r.placement.goes(ctx, network); err != nil {
		return err
	}
	if f.finished() {
		return r.finalize(ctx, f)
	}
	err = r.write(ctx, f)
	r.programs.note(key, network.Generation, err)
	r.statuses.wake(key)
	return err
}

// judge puts in force what can be of the network's spec. All of its attachments
// are looked at when that is another than the database was written for.
func (r *L2NetworkReconciler) judge(ctx context.Context, network *v1alpha1.L2Network) (admission.Report, error) {
	key := client.ObjectKeyFromObject(network)
	report := r.placement.ledger.Judge(network)
	for surveyed := int64(0); report.Version != surveyed && r.ports.stale(key, report.Version); {
		surveyed = report.Version
		if err := r.survey(ctx, key); err != nil {
			return report, err
		}
		r.placement.ledger.Open(key)
		report = r.placement.ledger.Judge(network) // by what is on record
	}
	return report, nil
}

// finished says whether a network that is being deleted has nothing to wait for.
func (f networkFacts) finished() bool {
	return !f.network.DeletionTimestamp.IsZero() && (f.Members == 0 || f.goes)
}

// retried are errors that a retry can mend. The return of a lost connection
// requeues every network.
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

// write makes the database hold what has changed of the network, or all of it.
// A network without a spec in force has a switch and no ports.
func (r *L2NetworkReconciler) write(ctx context.Context, f networkFacts) error {
	key := client.ObjectKeyFromObject(f.network)
	if !r.Northbound.Connected() {
		return ovn.ErrNotConnected
	}
	w := r.ports.begin(key, f.Version)
	if w.empty() {
		return nil
	}
	inForce := f.InForce
	if inForce == nil {
		bare := *f.network
		bare.Spec = v1alpha1.L2NetworkSpec{}
		inForce = &bare
	}
	result, err := w.commit(ctx, r.Northbound, topology.Switch(inForce, r.placement.underlayMTU))
	if err != nil {
		r.networks.wake(r.ports.failed(key, w)...)
	}
	if w.whole && !errors.Is(err, ovn.ErrNotConnected) {
		r.filling.settle(key, err == nil)
	}
	if err != nil {
		return err
	}
	r.committed(ctx, key, w, result)
	return nil
}

// committed wakes the attachments whose port is in the database now, and
// releases what those had elsewhere that have moved here.
func (r *L2NetworkReconciler) committed(ctx context.Context, key types.NamespacedName, w work, result ovn.Result) {
	if result.Committed {
		transactions.Inc()
		log.FromContext(ctx).Info("Northbound committed", "switch", ovn.Key{Namespace: key.Namespace, Name: key.Name}.Switch(),
			"added", len(result.Added), "moved", len(result.Moved), "changed", len(result.Changed), "removed", len(result.Removed))
	}
	for owner, p := range w.set {
		r.placement.ledger.Settle(key, owner, p.uid)
	}
	changed, again := r.ports.done(key, w)
	r.networks.wake(again...)
	r.stages.portsCommitted(changed)
	r.attachments.wake(changed...)
}

// survey finds the place of every attachment of the network, since its spec in
// force is another or nothing is known yet, and wakes those that may have
// something else to say.
func (r *L2NetworkReconciler) survey(ctx context.Context, key types.NamespacedName) error {
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.MatchingFields{networkIndex: key.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list attachments of network %q: %w", key, err)
	}
	records := &records{reads: &r.placement.reads, ctx: ctx}
	for _, ranked := range admission.ByPrecedence(list.Items, records.Pod) {
		owner := client.ObjectKeyFromObject(ranked.Attachment)
		if err := r.placeOne(ctx, owner); err != nil {
			return err
		}
		r.attachments.wake(owner)
	}
	return records.err
}

// placeOne finds the place of an attachment that has all on record that it needs,
// and says what its port is. What has to be written of others is their own
// reconcile's.
func (r *L2NetworkReconciler) placeOne(ctx context.Context, owner types.NamespacedName) error {
	defer r.placement.turns.Take(owner)()
	a := &v1alpha1.L2Attachment{}
	if err := r.Get(ctx, owner, a, client.UnsafeDisableDeepCopy); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !a.DeletionTimestamp.IsZero() || !a.Complete() {
		return nil
	}
	pod, err := r.placement.pod(ctx, a)
	if err != nil {
		return err
	}
	f, err := r.placement.gather(ctx, a, pod, nil)
	if err != nil {
		return err
	}
	at, err := r.placement.take(f)
	if errors.Is(err, admission.ErrBehind) {
		return nil // it lacks addresses, and asks for them when the network is open
	}
	if err != nil {
		return err
	}
	if !at.on() || !a.Bound() {
		r.networks.wake(r.ports.remove(owner)...)
		return nil
	}
	if a.Status.MTU != 0 && r.ports.set(at.Network, a) {
		r.networks.wake(client.ObjectKeyFromObject(at.Network))
	}
	return nil
}

// finalize removes the switch of a network that has no members, or goes whatever
// it has, and lets it go.
func (r *L2NetworkReconciler) finalize(ctx context.Context, f networkFacts) error {
	key := client.ObjectKeyFromObject(f.network)
	err := r.sweep(ctx, key)
	if err != nil {
		r.programs.note(key, f.network.Generation, err)
		r.statuses.wake(key)
		return err
	}
	before := f.network.DeepCopy()
	if controllerutil.RemoveFinalizer(f.network, v1alpha1.NetworkFinalizer) {
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if err := r.Patch(ctx, f.network, patch, client.FieldOwner(fieldOwner)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove finalizer of network %q: %w", key, err)
		}
	}
	return nil
}

// gone cleans up behind a network that the API does not have, and wakes the
// attachments that name it.
func (r *L2NetworkReconciler) gone(ctx context.Context, key types.NamespacedName) error {
	r.placement.ledger.Close(key)
	r.programs.forget(key)
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.MatchingFields{networkIndex: key.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list attachments of network %q: %w", key, err)
	}
	for i := range list.Items {
		r.attachments.wake(client.ObjectKeyFromObject(&list.Items[i]))
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
	r.attachments.wake(r.ports.drop(key)...)
	return nil
}
