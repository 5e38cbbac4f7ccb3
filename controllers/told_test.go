package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestToldOnce(t *testing.T) {
	pod := func(uid types.UID) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: uid}}
	}
	a, b := v1alpha1.Event{Reason: "A"}, v1alpha1.Event{Reason: "B"}
	all := func(e ...v1alpha1.Event) []v1alpha1.Event { return e }
	n := &told{}
	for _, step := range []struct {
		reason    string
		got, want []v1alpha1.Event
	}{
		{"what is new", n.news(pod("one"), all(a, a)), all(a)},
		{"is told once", n.news(pod("one"), all(a)), nil},
		{"beside what comes later", n.news(pod("one"), all(a, b)), all(b)},
		{"what is mended", n.news(pod("one"), all(b)), nil},
		{"and comes back is new", n.news(pod("one"), all(a, b)), all(a)},
		{"and so is all of another pod of the name", n.news(pod("two"), all(a, b)), all(a, b)},
		{"nothing is wrong", n.news(pod("two"), nil), nil},
	} {
		if diff := cmp.Diff(step.want, step.got); diff != "" {
			t.Errorf("%s: -want +got\n%s", step.reason, diff)
		}
	}
	n.news(pod("two"), all(a))
	n.forget(client.ObjectKeyFromObject(pod("two")))
	if len(n.objects) > 0 {
		t.Errorf("%d pods are remembered that are gone", len(n.objects))
	}
}
