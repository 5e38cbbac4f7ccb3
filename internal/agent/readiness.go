package agent

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
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
	case !port.State.Installed || port.Sandbox.Config == link.HotConfig && port.Noted.InstalledAt == 0:
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

// dated is the condition for the spec as it is now, with the time since when
// its status stands.
func dated(a *v1alpha1.L2Attachment, want metav1.Condition) metav1.Condition {
	want.ObservedGeneration = a.Generation
	conditions := slices.Clone(a.Status.Conditions)
	meta.SetStatusCondition(&conditions, want)
	return *meta.FindStatusCondition(conditions, want.Type)
}
