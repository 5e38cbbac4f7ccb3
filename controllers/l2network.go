package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	filling    *filling
	stages     *stages
	settling   settling
	// attachments are woken when a commit concerns them, networks when a move has
	// freed what was held on them, statuses when there is something to say.
	attachments, networks, statuses, authorities *wakeups
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
	if r.placement.keys.direct { // its ports are judged next, and need it
		if err := r.number(ctx, network); err != nil {
			return err
		}
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
	if !r.placement.keys.direct && f.InForce != nil { // agents write what is in force, by what is on record
		if err := r.number(ctx, network); err != nil {
			return err
		}
	}
	if err := r.stretch(ctx, f); err != nil {
		return err
	}
	err = r.write(ctx, f)
	r.ports.note(key, network.Generation, err)
	r.statuses.wake(key)
	return err
}

// number has the network hold a tunnel key. Its attachments are looked at again where that
// is another, or why there is none.
func (r *L2NetworkReconciler) number(ctx context.Context, network *v1alpha1.L2Network) error {
	if !r.placement.keys.network(network) {
		return nil
	}
	r.ports.compare(network.Key())
	return r.wakeAttachments(ctx, network.Key())
}

// stretch decides whether the network goes on in other clusters, and what its port is
// for that.
func (r *L2NetworkReconciler) stretch(ctx context.Context, f networkFacts) error {
	d, err := r.placement.stretches.judge(ctx, f.network, f.InForce)
	if err != nil || !r.placement.keys.direct { // nodes write their own ports, by the status
		return err
	}
	network := *f.network
	if f.InForce != nil {
		network.Spec = f.InForce.Spec
	}
	network.Status.Stretch = &v1alpha1.StretchStatus{ID: d.ID, Chassis: d.Chassis, TunnelKey: d.key}
	r.ports.setEdge(&network)
	return nil
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
	if !network.DeletionTimestamp.IsZero() || !controllerutil.AddFinalizer(network, v1alpha1.NetworkFinalizer) {
		return nil
	}
	if err := setFinalizers(ctx, r, network); err != nil {
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
	sw := topology.Switch(inForce, r.placement.maxMTU)
	sw.TunnelKey = int(r.placement.keys.ofNetwork(f.network)) // which may not be on record yet
	result, err := w.commit(ctx, r.Northbound, sw)
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
		log.FromContext(ctx).Info("Northbound committed", append(result.Logged(), "switch", ovn.Key{Namespace: key.Namespace, Name: key.Name}.Switch())...)
	}
	for _, p := range w.set {
		if !v1alpha1.IsEdge(p.owner) {
			r.placement.ledger.Settle(key, p.owner, p.uid)
		}
	}
	changed, again := r.ports.done(key, w)
	r.networks.wake(again...)
	changed = slices.DeleteFunc(changed, v1alpha1.IsEdge)
	r.stages.portsCommitted(changed)
	r.attachments.wake(changed...)
}
