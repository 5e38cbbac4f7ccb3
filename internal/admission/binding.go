package admission

import (
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// MayHavePort says whether the attachment's pod permits it a port: the binding
// is valid, or a user made the attachment and it waits for its pod. The pod is
// nil where none has the attachment's podName.
func MayHavePort(a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if attach.UserMade(a) && !a.Bound() {
		return nil
	}
	return CheckBinding(a, pod)
}

// CheckBinding says whether the attachment belongs to a running life of a pod,
// and, where it was made of an annotation, to the pod that carries it.
func CheckBinding(a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	switch {
	case !a.Bound() || pod == nil || Forged(a, pod):
		return Refuse(v1alpha1.BindingMismatch(a))
	case attach.Ended(pod):
		return Refuse(v1alpha1.PodEnded(pod.Name))
	case pod.Spec.HostNetwork:
		return Refuse(v1alpha1.HostNetwork(pod.Name))
	case !attach.UserMade(a) && !attach.BornFrom(a, pod):
		return Refuse(v1alpha1.EntryGone(pod.Name))
	default:
		return nil
	}
}

// Forged says whether the attachment claims another life, or another node, of
// the pod than the pod has.
func Forged(a *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return a.Bound() && (pod.UID != a.Spec.PodUID || pod.Spec.NodeName != a.Spec.NodeName)
}
