package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// fieldOwner is the controller's name in managedFields. The agent has its own:
// each applies its part of an attachment's status.
const fieldOwner = "l2sm-controller"

// acceptedStatus is the controller's part of the status of an attachment that
// has its port.
func acceptedStatus(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, underlayMTU int32) v1alpha1.L2AttachmentStatus {
	return v1alpha1.L2AttachmentStatus{
		Conditions: []metav1.Condition{v1alpha1.AttachmentAccepted()},
		PortName:   ovn.PortName(a.Namespace, a.Name),
		MTU:        network.EffectiveMTU(underlayMTU),
	}
}

// applyStatus applies the controller's part of an attachment's status, unless
// it stands there already, and says whether it made a difference.
func (r *L2AttachmentReconciler) applyStatus(ctx context.Context, a *v1alpha1.L2Attachment, want v1alpha1.L2AttachmentStatus) (bool, error) {
	for i := range want.Conditions {
		want.Conditions[i] = dated(a.Status.Conditions, want.Conditions[i], a.Generation)
	}
	if equality.Semantic.DeepEqual(want, ownStatus(a)) {
		return false, nil
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&want)
	if err != nil {
		return false, fmt.Errorf("convert status: %w", err)
	}
	apply := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": a.Namespace, "name": a.Name, "uid": string(a.UID)},
		"status":   status,
	}}
	apply.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("L2Attachment"))
	err = r.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(apply), client.FieldOwner(fieldOwner), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("apply status of attachment %q: %w", client.ObjectKeyFromObject(a), err)
	}
	return true, nil
}

// ownStatus is the controller's part of the status that stands.
func ownStatus(a *v1alpha1.L2Attachment) v1alpha1.L2AttachmentStatus {
	own := v1alpha1.L2AttachmentStatus{PortName: a.Status.PortName, MTU: a.Status.MTU}
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted); c != nil {
		own.Conditions = []metav1.Condition{*c}
	}
	return own
}

// dated is the condition as it is to stand: seen at the generation, and since
// when it has had its status.
func dated(stand []metav1.Condition, c metav1.Condition, generation int64) metav1.Condition {
	c.ObservedGeneration = generation
	conditions := append([]metav1.Condition(nil), stand...)
	meta.SetStatusCondition(&conditions, c)
	return *meta.FindStatusCondition(conditions, c.Type)
}
