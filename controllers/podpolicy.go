package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// policyState is what is known of the policy that has pods attached as they start.
type policyState int32

const (
	policyUnknown   policyState = iota // not looked for yet
	policyThere                        // with its binding
	policyMissing                      // one of the two is
	policyNotServed                    // the API server has no such kind
)

// condition is what networks say of it, if anything.
func (s policyState) condition() *metav1.Condition {
	var c metav1.Condition
	switch s {
	case policyMissing:
		c = v1alpha1.PolicyMissing()
	case policyNotServed:
		c = v1alpha1.NoMutatingPolicies()
	default:
		return nil
	}
	return &c
}

// saidBy tells whether the network says so already.
func (s policyState) saidBy(n *v1alpha1.L2Network) bool {
	said, wanted := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.ConditionAttachedLate), s.condition()
	if said == nil || wanted == nil {
		return said == nil && wanted == nil
	}
	return said.Reason == wanted.Reason && said.Message == wanted.Message
}

// podPolicy is the state that was found last.
type podPolicy struct{ state atomic.Int32 }

func (p *podPolicy) now() policyState { return policyState(p.state.Load()) }

// PodPolicyReconciler follows whether MutatingAdmissionPolicy l2sm-pod-networks and
// its binding are there, and has every network say so when that changes. It has
// one key.
type PodPolicyReconciler struct {
	client.Reader
	discovery discovery.ServerResourcesInterface
	policy    *podPolicy
	statuses  *wakeups
	// watch has the two watched from now on, and returns what reads them.
	watch func(context.Context) (client.Reader, error)
	// watched reads them, once the API server has the kind.
	watched client.Reader
	// await has this reconciled whenever the API server may be another, of another
	// version. awaits notes that it is under way, and ends it.
	await  func() (cancel func(), err error)
	awaits func()
}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingadmissionpolicies;mutatingadmissionpolicybindings,resourceNames=l2sm-pod-networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch

// Reconcile looks for the two.
func (r *PodPolicyReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	before := r.policy.now()
	state, err := r.find(ctx)
	if err != nil || state == before {
		return ctrl.Result{}, err
	}
	r.policy.state.Store(int32(state)) // first: a network that is not listed yet reads it
	networks := &v1alpha1.L2NetworkList{}
	if err := r.List(ctx, networks, client.UnsafeDisableDeepCopy); err != nil {
		r.policy.state.Store(int32(before))
		return ctrl.Result{}, fmt.Errorf("list networks: %w", err)
	}
	for i := range networks.Items {
		// Before the first look nobody has written of it, so after a restart few have
		// anything new to say.
		if n := &networks.Items[i]; before != policyUnknown || !state.saidBy(n) {
			r.statuses.wake(n.Key())
		}
	}
	return ctrl.Result{}, nil
}

func (r *PodPolicyReconciler) find(ctx context.Context) (policyState, error) {
	if r.watched == nil {
		served, err := r.served()
		if err != nil {
			return policyUnknown, err
		}
		if !served {
			return policyNotServed, r.awaitKind()
		}
		if r.watched, err = r.watch(ctx); err != nil {
			return policyUnknown, err
		}
		if r.awaits != nil {
			r.awaits()
		}
	}
	for _, o := range policyObjects() {
		err := r.watched.Get(ctx, types.NamespacedName{Name: v1alpha1.PodNetworksPolicy}, o)
		if apierrors.IsNotFound(err) {
			return policyMissing, nil
		}
		if err != nil {
			return policyUnknown, fmt.Errorf("get %s %q: %w", o.Kind, v1alpha1.PodNetworksPolicy, err)
		}
	}
	return policyThere, nil
}

func (r *PodPolicyReconciler) awaitKind() (err error) {
	if r.awaits == nil {
		r.awaits, err = r.await()
	}
	return err
}

// served says whether the API server has the kind, in the version that is installed.
func (r *PodPolicyReconciler) served() (bool, error) {
	group := admissionregistrationv1.SchemeGroupVersion.String()
	list, err := r.discovery.ServerResourcesForGroupVersion(group)
	if err != nil {
		return false, fmt.Errorf("ask the API for what is in %s: %w", group, err)
	}
	return slices.ContainsFunc(list.APIResources, func(a metav1.APIResource) bool { return a.Kind == policyKind }), nil
}

const policyKind = "MutatingAdmissionPolicy"

// policyObjects are what must be there, without what is in it.
func policyObjects() []*metav1.PartialObjectMetadata {
	var all []*metav1.PartialObjectMetadata
	for _, kind := range []string{policyKind, policyKind + "Binding"} {
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(admissionregistrationv1.SchemeGroupVersion.WithKind(kind))
		all = append(all, o)
	}
	return all
}
