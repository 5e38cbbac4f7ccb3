package agent

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// readiness is what is to be said on a bound attachment, if anything. failed
// is why it could not be plugged.
func readiness(v view, failed error) (metav1.Condition, bool) {
	a, port, noted := v.attachment, v.port(), decide(v).noted
	stands := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case refusedPort(a):
		accepted := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
		return v1alpha1.AttachmentNotReady(accepted.Reason, accepted.Message), true
	case failed != nil:
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, failed.Error()), true
	case port == nil:
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonWiring, "the pod has no sandbox with this interface"), outdated(stands)
	case !v.device:
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "the interface is gone, as when the pod's sandbox is"), true
	case port.State.Error != "":
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "ovs-vswitchd: "+port.State.Error), true
	case !port.State.Installed || port.Sandbox.Config == hotConfig && port.Noted.InstalledAt == 0:
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonWiring, "OVN's flows are not installed"), outdated(stands)
	case moving(a, noted):
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonWiring,
			fmt.Sprintf("OVN's flows on L2Network %q are not installed", networkOf(a))), outdated(stands)
	default:
		return v1alpha1.AttachmentReady(port.Interface), true
	}
}

// outdated says whether what stands has to be corrected by Wiring. Where
// nothing stands an ADD is under way, and saying so would cost each a write.
func outdated(stands *metav1.Condition) bool {
	return stands != nil && stands.Reason != v1alpha1.ReasonWiring
}

// stands says whether the attachment carries the condition already, and for the
// spec as it is now: of a move that is under way it will say so later.
func stands(a *v1alpha1.L2Attachment, want metav1.Condition) bool {
	is := meta.FindStatusCondition(a.Status.Conditions, want.Type)
	if is == nil || is.Status != want.Status || is.Reason != want.Reason || is.Message != want.Message {
		return false
	}
	return is.ObservedGeneration == a.Generation || moveAhead(a)
}

// apply writes the agent's part of the status; the rest is the controller's.
func (w *watcher) apply(ctx context.Context, a *v1alpha1.L2Attachment, want metav1.Condition) error {
	want.ObservedGeneration = a.Generation
	conditions := append([]metav1.Condition(nil), a.Status.Conditions...)
	meta.SetStatusCondition(&conditions, want) // keeps lastTransitionTime where the status stays
	dated := meta.FindStatusCondition(conditions, want.Type)
	condition, err := runtime.DefaultUnstructuredConverter.ToUnstructured(dated)
	if err != nil {
		return fmt.Errorf("convert condition: %w", err)
	}
	part := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": a.Namespace, "name": a.Name, "uid": string(a.UID)},
		"status":   map[string]any{"conditions": []any{condition}},
	}}
	part.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("L2Attachment"))
	err = w.api.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(part), client.FieldOwner(name), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("apply condition %s of L2Attachment %q: %w", want.Type, client.ObjectKeyFromObject(a), err)
	}
	return nil
}
