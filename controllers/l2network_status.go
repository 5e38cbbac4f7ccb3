package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/overlap"
	"l2sm.io/l2sm/ovn"
)

// L2NetworkStatusReconciler says on each network what is in force, how many
// attachments it has, and whether the database holds it. It is a reconciler of
// its own so that no write of a status keeps the worker that programs OVN.
type L2NetworkStatusReconciler struct {
	client.Client
	Recorder  events.EventRecorder
	placement *placement
	ports     *ports
	policy    *podPolicy
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile patches the network's status, if it differs, and tells of what has
// turned bad.
func (r *L2NetworkStatusReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	network, err := r.placement.network(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if network == nil {
		r.placement.peers.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err := r.placement.stretches.settle(ctx, network); err != nil {
		return ctrl.Result{}, err
	}
	f, known, err := r.gather(ctx, network)
	if err != nil || !known {
		return ctrl.Result{}, err // its first write wakes this again
	}
	before := network.Status
	network.Status = networkStatus(network, f, r.placement.maxMTU)
	if equality.Semantic.DeepEqual(before, network.Status) {
		return ctrl.Result{}, nil
	}
	r.placement.stretches.ids.sending(network)
	if err := replaceStatus(ctx, r, networkKind, network, network.Status); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("patch status of network %q: %w", req.NamespacedName, err)
	}
	for _, e := range newEvents(before.Conditions, network.Status.Conditions, f.users) {
		emit(r.Recorder, network, e)
	}
	return ctrl.Result{}, nil
}

// reportFacts are what a network's status is made of.
type reportFacts struct {
	admission.Report
	program
	// ports is how many the network has.
	ports int
	// overlaps are what of the cluster has the network's addresses too.
	overlaps []overlap.Overlap
	// peers are what OVN-Kubernetes' own networks have of it too.
	peers peerFacts
	// policy is what is known of the policy that has pods attached as they start.
	policy policyState
	// key is the network's tunnel key, 0 for none, and keyless why it has none that it may
	// use. byNodes says that nodes have databases of their own.
	key     int32
	keyless *metav1.Condition
	byNodes bool
	// stretch is how far the network goes on in other clusters, and stretched what there
	// is to say of that, nil for nothing.
	stretch   *v1alpha1.StretchStatus
	stretched *metav1.Condition
	// users are the members that a deletion waits for.
	users []string
}

// gather finds what there is to say of the network as it is now, if it has been
// judged and written.
func (r *L2NetworkStatusReconciler) gather(ctx context.Context, network *v1alpha1.L2Network) (f reportFacts, known bool, err error) {
	key := client.ObjectKeyFromObject(network)
	written, has := r.ports.program(key)
	if !has || written.generation != network.Generation {
		return reportFacts{}, false, nil
	}
	f = reportFacts{Report: r.placement.ledger.Judge(network), program: written, ports: r.ports.count(key)}
	f.overlaps = r.placement.ranges.now().Find(network)
	f.peers = r.placement.peers.compare(ctx, network)
	f.policy = r.policy.now()
	f.key, f.keyless = r.placement.keys.status(network)
	f.byNodes = !r.placement.keys.direct
	if !network.DeletionTimestamp.IsZero() {
		f.users = r.placement.ledger.Members(key)
	}
	f.stretch, f.stretched, err = r.placement.stretches.status(ctx, key)
	return f, err == nil, err
}

// networkStatus is the status that a network is to have. It is pure.
func networkStatus(network *v1alpha1.L2Network, f reportFacts, maxMTU int32) v1alpha1.L2NetworkStatus {
	status := v1alpha1.L2NetworkStatus{
		Conditions:  append([]metav1.Condition(nil), network.Status.Conditions...),
		Attachments: int32(f.Members),
		TunnelKey:   f.key,
		Stretch:     f.stretch,
	}
	if f.InForce != nil {
		spec := f.InForce.Spec
		status.InForce = &spec
		status.MTU = f.InForce.EffectiveMTU(maxMTU)
		status.IPAM = ipamInForce(f.InForce)
	}
	if status.InForce != nil && status.InForce.IPAM != nil {
		status.Subnets = joined(status.InForce.IPAM.Subnets)
	}
	accepted := acceptedCondition(f.Refused)
	programmed := programmedCondition(accepted, f)
	conditions := []metav1.Condition{accepted, programmed, readyCondition(accepted, programmed)}
	if len(f.users) > 0 {
		conditions = append(conditions, v1alpha1.NetworkInUse(f.users))
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionDeleting)
	}
	if overlaps := slices.Concat(f.overlaps, f.peers.Overlaps); len(overlaps) > 0 {
		conditions = append(conditions, v1alpha1.NetworkOverlaps(overlaps[0].Reason(), overlap.Describe(overlaps)))
	} else if !f.peers.unknown || !saysPeersOverlap(status.Conditions) {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionOverlaps)
	}
	if f.peers.SameName != "" {
		conditions = append(conditions, v1alpha1.NetworkSameName(network.Key(), f.peers.SameName))
	} else if !f.peers.unknown {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionSameName)
	}
	if late := f.policy.condition(); late != nil {
		conditions = append(conditions, *late)
	} else if f.policy == policyThere { // while nothing is known, what was found before a restart stays
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionAttachedLate)
	}
	if f.stretched != nil {
		conditions = append(conditions, *f.stretched)
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStretched)
	}
	for _, c := range conditions {
		c.ObservedGeneration = network.Generation
		meta.SetStatusCondition(&status.Conditions, c)
	}
	return status
}

func acceptedCondition(refused error) metav1.Condition {
	if refusal, is := admission.AsRefusal(refused); is {
		return refusal.Condition
	}
	return v1alpha1.NetworkAccepted()
}

func programmedCondition(accepted metav1.Condition, f reportFacts) metav1.Condition {
	switch {
	case errors.Is(f.err, ovn.ErrNotConnected):
		return v1alpha1.NotProgrammed(v1alpha1.ReasonNorthbound, "OVN's northbound database can't be reached; what is in it keeps working")
	case f.keyless != nil:
		return *f.keyless
	case f.err != nil:
		return v1alpha1.NotProgrammed(v1alpha1.ReasonFailed, f.err.Error())
	case accepted.Status != metav1.ConditionTrue:
		return v1alpha1.NotProgrammed(v1alpha1.ReasonNotAccepted, "this spec is not in force: "+accepted.Message)
	case f.byNodes:
		return v1alpha1.ProgrammedByNodes(f.key)
	default:
		return v1alpha1.Programmed(f.ports)
	}
}

func readyCondition(accepted, programmed metav1.Condition) metav1.Condition {
	for _, c := range []metav1.Condition{accepted, programmed} {
		if c.Status != metav1.ConditionTrue {
			return v1alpha1.NetworkNotReady(c)
		}
	}
	return v1alpha1.NetworkReady()
}

// ipamInForce is the ipam of a network in force with its defaults.
func ipamInForce(network *v1alpha1.L2Network) *v1alpha1.IPAMStatus {
	if network.Spec.IPAM == nil {
		return nil
	}
	status := &v1alpha1.IPAMStatus{Ranges: network.Spec.IPAM.Ranges, Excluded: network.Spec.IPAM.Excluded}
	if len(status.Ranges) == 0 {
		status.Ranges = network.Spec.IPAM.Subnets
	}
	return status
}
