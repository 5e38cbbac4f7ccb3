package controllers

import (
	"context"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/multus"
)

// DefinitionReconciler keeps the NetworkAttachmentDefinitions by which Multus
// calls our CNI plugin: one for each L2Network, of its name, and
// l2sm-system/l2sm for the pods that carry our annotation.
type DefinitionReconciler struct {
	client.Client
	Recorder events.EventRecorder
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile keeps one definition. Its deletion is left to garbage collection,
// which follows the owner.
func (r *DefinitionReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	network, want, err := r.wanted(ctx, req.NamespacedName)
	if err != nil || want == nil {
		return ctrl.Result{}, err
	}
	stands := &nadv1.NetworkAttachmentDefinition{}
	err = r.Get(ctx, req.NamespacedName, stands)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, r.create(ctx, want)
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get NetworkAttachmentDefinition %q: %w", req.NamespacedName, err)
	}
	if !multus.Keeps(stands) {
		if network != nil {
			emit(r.Recorder, network, v1alpha1.DefinitionTakenEvent(req.NamespacedName))
		}
		return ctrl.Result{}, nil
	}
	if stands.Spec.Config == want.Spec.Config {
		return ctrl.Result{}, nil
	}
	before := stands.DeepCopy()
	stands.Spec.Config = want.Spec.Config
	if err := r.Patch(ctx, stands, client.MergeFrom(before), client.FieldOwner(fieldOwner)); err != nil {
		return ctrl.Result{}, fmt.Errorf("patch NetworkAttachmentDefinition %q: %w", req.NamespacedName, err)
	}
	return ctrl.Result{}, nil
}

// wanted is the definition that shall stand under the key, nil for none, and
// the network that it is for.
func (r *DefinitionReconciler) wanted(ctx context.Context, key types.NamespacedName) (*v1alpha1.L2Network, *nadv1.NetworkAttachmentDefinition, error) {
	if key == multus.PodNetworks {
		return nil, multus.PodNetworksDefinition(), nil
	}
	network := &v1alpha1.L2Network{}
	err := r.Get(ctx, key, network)
	if apierrors.IsNotFound(err) || err == nil && !network.DeletionTimestamp.IsZero() {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("get network %q: %w", key, err)
	}
	return network, multus.NetworkDefinition(network), nil
}

func (r *DefinitionReconciler) create(ctx context.Context, want *nadv1.NetworkAttachmentDefinition) error {
	err := r.Create(ctx, want, client.FieldOwner(fieldOwner))
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create NetworkAttachmentDefinition %q: %w", client.ObjectKeyFromObject(want), err)
	}
	return nil
}

// wanted are the pod's requests that are ours to serve: all of our own
// annotation, and those Multus entries that name a definition which we keep
// for a network. Held are the interface names of all Multus entries.
func wanted(ctx context.Context, reader client.Reader, pod *corev1.Pod) (ours []attach.Request, held []string, err error) {
	requests, err := attach.Parse(pod)
	if err != nil {
		return nil, nil, err
	}
	ours = requests.Own
	for _, request := range requests.Multus {
		kept, err := keepsDefinition(ctx, reader, request.Network)
		if err != nil {
			return nil, nil, err
		}
		if kept && request.Err == nil {
			ours = append(ours, request)
		}
	}
	return ours, requests.Held, nil
}

// keepsDefinition says whether the definition of that name is one that we keep
// for a network. Without Multus in the cluster there is none.
func keepsDefinition(ctx context.Context, reader client.Reader, key types.NamespacedName) (bool, error) {
	d := &nadv1.NetworkAttachmentDefinition{}
	err := reader.Get(ctx, key, d)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get NetworkAttachmentDefinition %q: %w", key, err)
	}
	return multus.Keeps(d) && key != multus.PodNetworks, nil
}
