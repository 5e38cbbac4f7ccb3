package controllers

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// interfacesOf are the attachments that hold a pod's interfaces, by the
// interface's name. Of two with one name the first holder wins: the other gets
// its port when that one is gone.
func interfacesOf(pod *corev1.Pod, attachments []v1alpha1.L2Attachment) map[string]*v1alpha1.L2Attachment {
	holders := map[string]*v1alpha1.L2Attachment{}
	for i := range attachments {
		a := &attachments[i]
		if a.Spec.Interface == "" || a.Spec.PodUID != pod.UID || !a.DeletionTimestamp.IsZero() {
			continue
		}
		if stands := holders[a.Spec.Interface]; stands == nil || heldBefore(a, stands) {
			holders[a.Spec.Interface] = a
		}
	}
	return holders
}

// heldBefore says whether a has more right to an interface than b: it has its
// port, is complete, or is older.
func heldBefore(a, b *v1alpha1.L2Attachment) bool {
	port := func(a *v1alpha1.L2Attachment) int { return rank(a.Status.PortName != "") }
	complete := func(a *v1alpha1.L2Attachment) int { return rank(a.Complete()) }
	return cmp.Or(
		port(a)-port(b), complete(a)-complete(b),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	) < 0
}

// rank is the place of what is so, before what is not.
func rank(so bool) int {
	if so {
		return 0
	}
	return 1
}

// mayHold refuses an attachment's interface to it where another one holds it.
func mayHold(a *v1alpha1.L2Attachment, pod *corev1.Pod, attachments []v1alpha1.L2Attachment) error {
	holder := interfacesOf(pod, attachments)[a.Spec.Interface]
	if holder == nil || holder.UID == a.UID || heldBefore(a, holder) {
		return nil
	}
	return admission.Refuse(v1alpha1.InterfaceTaken(pod.Name, a.Spec.Interface))
}

// freed are the attachments that were refused an interface which no other
// holds any more.
func freed(pod *corev1.Pod, attachments []v1alpha1.L2Attachment) []types.NamespacedName {
	holders := interfacesOf(pod, attachments)
	var keys []types.NamespacedName
	for i := range attachments {
		a := &attachments[i]
		if holder := holders[a.Spec.Interface]; refusedInterface(a) && (holder == nil || holder.UID == a.UID) {
			keys = append(keys, client.ObjectKeyFromObject(a))
		}
	}
	return keys
}

func refusedInterface(a *v1alpha1.L2Attachment) bool {
	c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonInterfaceTaken
}
