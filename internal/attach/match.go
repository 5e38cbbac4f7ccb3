package attach

import (
	"cmp"
	"fmt"
	"slices"

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
// the same network; once it does, it remembers the entry too.
//
// The controller makes attachments for the requests that none serves, and the
// agent waits for those that do: both ask here, and the attachments' order makes
// no difference.
func Match(pod *corev1.Pod, requests []Request, attachments []v1alpha1.L2Attachment) Matched {
	m := matching{pod: pod, requests: requests, serving: make([]*v1alpha1.L2Attachment, len(requests))}
	for i := range attachments {
		if a := &attachments[i]; a.Spec.PodName == pod.Name && a.DeletionTimestamp.IsZero() {
			m.open = append(m.open, a)
		}
	}
	slices.SortFunc(m.open, func(a, b *v1alpha1.L2Attachment) int { return cmp.Compare(a.Name, b.Name) })
	for _, serves := range []func(*v1alpha1.L2Attachment, Request) bool{m.byEntry, m.byEntryElsewhere, m.byInterface, m.byNetwork, m.byNetworkElsewhere} {
		m.pair(serves)
	}
	matched := Matched{Serving: m.serving}
	for _, a := range m.open {
		if BornFrom(a, pod) {
			matched.Surplus = append(matched.Surplus, a)
		}
	}
	return matched
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

// matching pairs requests with attachments, the better matches first.
type matching struct {
	pod      *corev1.Pod
	requests []Request
	serving  []*v1alpha1.L2Attachment
	open     []*v1alpha1.L2Attachment
}

func (m *matching) pair(serves func(*v1alpha1.L2Attachment, Request) bool) {
	for i, request := range m.requests {
		if m.serving[i] != nil {
			continue
		}
		found := slices.IndexFunc(m.open, func(a *v1alpha1.L2Attachment) bool { return serves(a, request) })
		if found >= 0 {
			m.serving[i] = m.open[found]
			m.open = slices.Delete(m.open, found, found+1)
		}
	}
}

func (m *matching) byEntry(a *v1alpha1.L2Attachment, r Request) bool {
	return m.byEntryElsewhere(a, r) && a.Spec.Interface == r.Interface
}

// byEntryElsewhere also matches an attachment whose interface's position has
// changed since, because another entry went.
func (m *matching) byEntryElsewhere(a *v1alpha1.L2Attachment, r Request) bool {
	eligible := BornFrom(a, m.pod) || UserMade(a)
	return eligible && a.Annotations[v1alpha1.EntryAnnotation] == r.Entry && (!r.Fixed || a.Spec.Interface == r.Interface)
}

func (m *matching) byInterface(a *v1alpha1.L2Attachment, r Request) bool {
	return m.adoptable(a, r) && a.Spec.Interface == r.Interface
}

func (m *matching) byNetwork(a *v1alpha1.L2Attachment, r Request) bool {
	return m.adoptable(a, r) && a.Spec.Interface == ""
}

func (m *matching) byNetworkElsewhere(a *v1alpha1.L2Attachment, r Request) bool {
	taken := slices.ContainsFunc(m.requests, func(o Request) bool { return o.Interface == a.Spec.Interface })
	return m.adoptable(a, r) && !r.Fixed && !taken
}

// adoptable says whether a user's attachment is for the request's network and
// serves no other entry.
func (m *matching) adoptable(a *v1alpha1.L2Attachment, r Request) bool {
	entry := a.Annotations[v1alpha1.EntryAnnotation]
	bound := entry != "" && slices.ContainsFunc(m.requests, func(o Request) bool { return o.Entry == entry })
	return UserMade(a) && !bound && a.NetworkKey() == r.Network
}

// FreeInterface is the request's interface name, or, where the pod has another
// interface of that name and the request leaves the choice, the next that it
// has not.
func FreeInterface(r Request, taken func(name string) bool) (string, bool) {
	if !taken(r.Interface) {
		return r.Interface, true
	}
	if r.Fixed {
		return "", false
	}
	for n := 1; ; n++ {
		if name := fmt.Sprintf("net%d", n); !taken(name) {
			return name, true
		}
	}
}
