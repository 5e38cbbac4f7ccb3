package controllers

import (
	"context"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/multus"
)

// DefinitionReconciler keeps the NetworkAttachmentDefinitions by which Multus
// calls our CNI plugin: one for each L2Network, of its name, and
// l2sm-system/l2sm for the pods that carry our annotation.
type DefinitionReconciler struct {
	client.Client
	Recorder events.EventRecorder
	settling settling
	told     told
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile keeps one definition. Its deletion is left to garbage collection,
// which follows the owner.
func (r *DefinitionReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return r.settling.result(req, r.reconcile(ctx, req.NamespacedName))
}

func (r *DefinitionReconciler) reconcile(ctx context.Context, key types.NamespacedName) error {
	network, want, err := r.wanted(ctx, key)
	if err != nil {
		return err
	}
	if want == nil {
		r.told.forget(key)
		return nil
	}
	complaints, err := r.keep(ctx, key, want)
	if network != nil {
		r.told.tell(r.Recorder, network, complaints)
	}
	return err
}

// keep makes or restores a definition, and says why it can't.
func (r *DefinitionReconciler) keep(ctx context.Context, key types.NamespacedName, want *nadv1.NetworkAttachmentDefinition) ([]v1alpha1.Event, error) {
	stands := &nadv1.NetworkAttachmentDefinition{}
	err := r.Get(ctx, key, stands)
	if apierrors.IsNotFound(err) {
		return refusedByAPI(r.create(ctx, want))
	}
	if err != nil {
		return nil, fmt.Errorf("get NetworkAttachmentDefinition %q: %w", key, err)
	}
	if !multus.Keeps(stands) {
		return []v1alpha1.Event{v1alpha1.DefinitionTakenEvent(key)}, nil
	}
	before := stands.DeepCopy()
	if !multus.Restore(stands, want) {
		return nil, nil
	}
	if err := r.Patch(ctx, stands, client.MergeFrom(before), client.FieldOwner(fieldOwner)); client.IgnoreNotFound(err) != nil {
		return refusedByAPI(fmt.Errorf("patch NetworkAttachmentDefinition %q: %w", key, err))
	}
	return nil, nil
}

// refusedByAPI turns the API's refusal of a write, as a rule by a quota that is
// used up, into a complaint. The write is tried again, ever more seldom.
func refusedByAPI(err error) ([]v1alpha1.Event, error) {
	if !isRefusedByAPI(err) {
		return nil, err
	}
	return []v1alpha1.Event{v1alpha1.CreationRefusedEvent("NetworkAttachmentDefinition", apiReason(err))}, fmt.Errorf("%w: %w", admission.ErrBehind, err)
}

// wanted is the definition that must stand under the key, nil for none, and
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
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create NetworkAttachmentDefinition %q: %w", client.ObjectKeyFromObject(want), admission.ErrBehind)
	}
	if err != nil {
		return fmt.Errorf("create NetworkAttachmentDefinition %q: %w", client.ObjectKeyFromObject(want), err)
	}
	return nil
}
