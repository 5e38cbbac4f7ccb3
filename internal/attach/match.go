package attach

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Matched says which attachments serve a pod's requests.
type Matched struct {
	// Serving has, for each request by its index, the attachment that serves
	// it: nil where there is none yet.
	Serving []*v1alpha1.L2Attachment
	// Surplus are attachments that were made of the pod's annotations, in this
	// life of the pod, of which no request asks for any more.
	Surplus []*v1alpha1.L2Attachment
}

// Match compares a pod's requests with the attachments of its namespace that
// carry its name. An attachment remembers the entry that it was made of, so it
// keeps serving that entry wherever it was moved to, and whatever became of
// other entries. What a user made for a pod of this name serves a request for
// the same network; once it does, it remembers the entry too. None serves a
// request with an Err.
//
// The controller makes attachments for the requests that none serves, and the
// agent waits for those that do: both ask here, and the attachments' order makes
// no difference.
func Match(pod *corev1.Pod, requests []Request, attachments []v1alpha1.L2Attachment) Matched {
	m := newMatching(pod, requests, attachments)
	for _, by := range m.passes() {
		m.pair(by)
	}
	return m.matched()
}

// BornFrom says whether the attachment was made of this pod's annotations.
func BornFrom(a *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return a.Annotations[v1alpha1.EntryAnnotation] != "" && metav1.IsControlledBy(a, pod)
}

// UserMade says whether the attachment was made by a user, and not of some
// pod's annotations.
func UserMade(a *v1alpha1.L2Attachment) bool {
	owner := metav1.GetControllerOf(a)
	return owner == nil || owner.Kind != "Pod" || a.Annotations[v1alpha1.EntryAnnotation] == ""
}
