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
)

// fieldOwner is the controller's name in managedFields. The agent has its own:
// each applies its part of an attachment's status.
const fieldOwner = "l2sm-controller"

// portStatus is the controller's part of the status of an attachment that has
// its port on the network.
func portStatus(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, underlayMTU int32) v1alpha1.L2AttachmentStatus {
	return v1alpha1.L2AttachmentStatus{
		Conditions: []metav1.Condition{v1alpha1.AttachmentAccepted()},
		Network:    &v1alpha1.NetworkReference{Namespace: network.Namespace, Name: network.Name},
		PortName:   a.PortName(),
		MTU:        network.EffectiveMTU(underlayMTU),
	}
}

// ourReady is what the controller says in condition Ready, which belongs to
// the agent: that no pod runs, and, once one does, that its node has not spoken
// yet. It goes on saying so until the agent has taken the condition over, since
// what both have applied can't be withdrawn by one.
func ourReady(a *v1alpha1.L2Attachment) []metav1.Condition {
	stands := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case !a.Bound():
		return []metav1.Condition{v1alpha1.AttachmentNoPod(a.Spec.PodName)}
	case stands != nil && (stands.Reason == v1alpha1.ReasonNoPod || stands.Reason == v1alpha1.ReasonAwaitsNode):
		return []metav1.Condition{v1alpha1.AttachmentAwaitsNode(a.Spec.NodeName)}
	default:
		return nil
	}
}

// applyStatus applies the controller's part of an attachment's status, unless
// it stands there already, and says whether it made a difference.
func (r *L2AttachmentReconciler) applyStatus(ctx context.Context, a *v1alpha1.L2Attachment, want v1alpha1.L2AttachmentStatus) (bool, error) {
	ready := ourReady(a)
	want.Conditions = append(want.Conditions, ready...)
	for i := range want.Conditions {
		want.Conditions[i] = dated(a.Status.Conditions, want.Conditions[i], a.Generation)
	}
	if equality.Semantic.DeepEqual(want, ownStatus(a, len(ready) > 0)) {
		return false, nil
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&want)
	if err != nil {
		return false, fmt.Errorf("convert status: %w", err)
	}
	metadata := map[string]any{"namespace": a.Namespace, "name": a.Name, "uid": string(a.UID)}
	if len(ready) > 0 {
		metadata["resourceVersion"] = a.ResourceVersion // the agent may have spoken meanwhile
	}
	apply := &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "status": status}}
	apply.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("L2Attachment"))
	err = r.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(apply), client.FieldOwner(fieldOwner), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("apply status of attachment %q: %w", client.ObjectKeyFromObject(a), err)
	}
	return true, nil
}

// ownStatus is the controller's part of the status that stands, with condition
// Ready where that is its own to say.
func ownStatus(a *v1alpha1.L2Attachment, ready bool) v1alpha1.L2AttachmentStatus {
	own := v1alpha1.L2AttachmentStatus{Network: a.Status.Network, PortName: a.Status.PortName, MTU: a.Status.MTU}
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(a.Status.Conditions, kind); c != nil && (ready || kind != v1alpha1.ConditionReady) {
			own.Conditions = append(own.Conditions, *c)
		}
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
