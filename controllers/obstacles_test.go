package controllers

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

func TestObstacle(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "12345678"}}
	own := newAttachment(pod, attach.Request{Network: types.NamespacedName{Namespace: "default", Name: "lab"}, Interface: "net1", Entry: "lab"})
	now := metav1.Now()
	cases := map[string]struct {
		reason, want string
		change       func(*v1alpha1.L2Attachment)
	}{
		"Own":      {"The cache shows by now what was made.", "", func(*v1alpha1.L2Attachment) {}},
		"Squatter": {"A user's of this name serves somebody else.", "not this pod's", func(a *v1alpha1.L2Attachment) { a.OwnerReferences, a.Spec.PodName = nil, "another" }},
		"SamePod":  {"One that claims the pod's name serves no entry of it.", "not this pod's", func(a *v1alpha1.L2Attachment) { a.OwnerReferences = nil }},
		"Going": {"It goes when somebody lets it go.", "finalizer example.com/x", func(a *v1alpha1.L2Attachment) {
			a.DeletionTimestamp, a.Finalizers = &now, []string{"example.com/x"}
		}},
		"ManyFinalizers": {"Its user may have put any number on it.", "example.com/x, example.com/x, example.com/x;", func(a *v1alpha1.L2Attachment) {
			a.DeletionTimestamp, a.Finalizers = &now, slices.Repeat([]string{"example.com/x"}, 1000)
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := own.DeepCopy()
			tc.change(a)
			got := obstacle(a, pod)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%s Got %q, want %q in it", tc.reason, got, tc.want)
			}
		})
	}
}

func TestAwaited(t *testing.T) {
	key := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "default", Name: name} }
	squatter := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p-net1-1"}, Spec: v1alpha1.L2AttachmentSpec{PodName: "another"}}
	w := &awaited{}
	pods := func() (names []string) {
		for _, r := range w.podsOf(t.Context(), squatter) {
			names = append(names, r.Name)
		}
		return names
	}
	w.set(key("p"), []types.NamespacedName{client.ObjectKeyFromObject(squatter), key("p-net2-1")})
	if got := pods(); !slices.Equal(got, []string{"another", "p"}) {
		t.Errorf("got pods %q, want its own and the one that waits", got)
	}
	w.set(key("p"), []types.NamespacedName{key("p-net2-1")})
	if got := pods(); !slices.Equal(got, []string{"another"}) {
		t.Errorf("got pods %q, want its own: the other waits no more", got)
	}
	w.set(key("p"), nil)
	if len(w.pods)+len(w.by) > 0 {
		t.Errorf("%d names of %d pods are remembered that nobody waits for", len(w.pods), len(w.by))
	}
}
