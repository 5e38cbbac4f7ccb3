//go:build integration

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// restored is an attachment as a backup brings it back: neither owner nor
// status, and the podUID and nodeName of a pod that is gone.
func restored(a *v1alpha1.L2Attachment) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, Annotations: a.Annotations, Labels: a.Labels},
		Spec:       a.Spec,
	}
}

// What a backup brings back binds to the next pod of its name, whichever of the
// two is there first.
func TestRestore(t *testing.T) {
	cases := map[string]struct {
		reason   string
		podFirst bool
	}{
		"AttachmentFirst": {"it waits for its pod, with its addresses reserved", false},
		"PodFirst":        {"as Velero restores", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.network("lab", subnets("10.0.0.0/24"))
			a := w.attach("db", "db-0", "lab")
			first := w.podWith("db-0", nil, nil)
			w.accepted(a, first)
			again := restored(a)
			w.remove(a)
			w.remove(first)
			w.eventually(func(g Gomega) { g.Expect(w.ports("lab")).To(BeEmpty()) })

			var next *corev1.Pod
			if tc.podFirst {
				next = w.podWith("db-0", nil, nil)
			}
			w.create(again)
			if !tc.podFirst {
				w.accepted(again, nil)
				next = w.podWith("db-0", nil, nil)
			}
			w.accepted(again, next)
			g := NewWithT(t)
			g.Expect(again.Spec.MACAddress).To(Equal(a.Spec.MACAddress), tc.reason)
			g.Expect(again.Spec.Addresses).To(Equal(a.Spec.Addresses), tc.reason)
			g.Expect(again.OwnerReferences).To(BeEmpty(), "it outlives this pod, too")
			w.remove(next)
			w.accepted(again, nil)
		})
	}
}

// What was made of a pod's annotation goes with that pod, also when a backup
// brings it back without its owner.
func TestRestoreOfAnnotationBorn(t *testing.T) {
	w := start(t)
	w.network("tiny", subnets("10.0.0.1/32"))
	pod := w.pod("p", "tiny")
	a := w.attached("p", 1)[0]
	w.remove(pod)
	w.eventually(func(g Gomega) { g.Expect(w.attachments("p")).To(BeEmpty()) })
	w.create(restored(&a))
	w.eventually(func(g Gomega) { g.Expect(w.attachments("p")).To(BeEmpty()) })
	w.pod("q", "tiny")
	w.attached("q", 1)
}

// Only its creation decides whether an attachment is one life's.
func TestNodeNameIsPatchedAway(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	a := w.attach("db", "db-0", "lab")
	pod := w.podWith("db-0", nil, nil)
	w.accepted(a, pod)
	for _, uid := range []string{string(pod.UID), "11111111-2222-3333-4444-555555555555"} {
		w.change(a, func() { a.Spec.NodeName, a.Spec.PodUID = "", types.UID(uid) })
		w.accepted(a, pod)
		w.consistently(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(a), a)).To(Succeed())
			g.Expect(a.OwnerReferences).To(BeEmpty(), uid)
		})
	}
}
