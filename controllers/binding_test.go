package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

func TestLifeFor(t *testing.T) {
	now := metav1.Now()
	pod := func(changes ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db-0", UID: "two"}, Spec: corev1.PodSpec{NodeName: "node-b"}}
		for _, change := range changes {
			change(p)
		}
		return p
	}
	persistent := func(*v1alpha1.L2Attachment) {}
	before := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "one", "node-a" }
	stands := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "two", "node-b" }
	own := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Generation = "two", 1 }
	ownOther := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Generation = "one", 1 }
	owned := func(a *v1alpha1.L2Attachment) {
		a.Spec.PodUID = "two"
		a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "db-0", UID: "two"}}
	}
	restored := func(a *v1alpha1.L2Attachment) {
		before(a)
		a.Generation, a.Annotations = 1, map[string]string{v1alpha1.PersistentAnnotation: "true"}
	}
	unmarked := func(a *v1alpha1.L2Attachment) { before(a); a.Generation = 1 }
	noNode := func(a *v1alpha1.L2Attachment) { stands(a); a.Spec.NodeName = "" }
	host := func(p *corev1.Pod) { p.Spec.HostNetwork = true }
	ends := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	goes := func(p *corev1.Pod) { p.DeletionTimestamp = &now }
	two := life{"two", "node-b"}
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Attachment)
		pod    *corev1.Pod
		want   life
		refuse string
	}{
		"Waits":       {"no pod has the name", persistent, nil, life{}, ""},
		"Pending":     {"a pod without a node has no interface", persistent, pod(func(p *corev1.Pod) { p.Spec.NodeName = "" }), life{}, ""},
		"Runs":        {"a pod of the name runs", persistent, pod(), two, ""},
		"Next":        {"the next pod of the name, on another node", before, pod(), two, ""},
		"Stands":      {"nothing has changed", stands, pod(), two, ""},
		"Ended":       {"an ended pod is left", stands, pod(ends), life{}, ""},
		"Gone":        {"a pod that is gone is left", stands, nil, life{}, ""},
		"Terminates":  {"a pod on its way out keeps what it has", stands, pod(goes), two, ""},
		"TooLate":     {"and gets nothing new", persistent, pod(goes), life{}, ""},
		"Host":        {"a pod on its node's network has none of its own", persistent, pod(host), life{}, v1alpha1.ReasonInvalid},
		"Own":         {"created for this life", own, pod(), two, ""},
		"OwnOther":    {"created for another life, it is never bound to this", ownOther, pod(), life{"one", ""}, v1alpha1.ReasonForged},
		"OwnGone":     {"its pod is gone, and it knows no owner: a backup brought it back", own, nil, life{}, ""},
		"OwnedGone":   {"what has an owner goes with it", owned, nil, life{"two", ""}, v1alpha1.ReasonForged},
		"Restored":    {"what was bound before its backup binds to the pod that runs", restored, pod(), two, ""},
		"RestoredYet": {"or waits for it", restored, nil, life{}, ""},
		"Unmarked":    {"a podUID that no controller wrote is refused while another pod of the name runs", unmarked, pod(), life{"one", "node-a"}, v1alpha1.ReasonForged},
		"UnmarkedYet": {"and cleared when none does", unmarked, nil, life{}, ""},
		"NodeAway":    {"a node that is patched away comes back", noNode, pod(), two, ""},
		"OwnEnded":    {"it ends with its pod", own, pod(ends), life{"two", ""}, v1alpha1.ReasonPodEnded},
		"OwnHost":     {"what holds for others", own, pod(host), life{"two", ""}, v1alpha1.ReasonInvalid},
		"OwnMisnamed": {"a node that its pod is not on", func(a *v1alpha1.L2Attachment) { own(a); a.Spec.NodeName = "node-a" }, pod(), life{"two", "node-a"}, v1alpha1.ReasonForged},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &v1alpha1.L2Attachment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db", Generation: 7},
				Spec:       v1alpha1.L2AttachmentSpec{PodName: "db-0"},
			}
			tc.change(a)
			got, err := lifeFor(a, tc.pod)
			if got != tc.want {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
			expectReason(t, tc.reason, tc.refuse, err)
		})
	}
}

func TestInterfaceNames(t *testing.T) {
	n := &interfaceNames{}
	none := map[string]bool{}
	choose := func(pod, owner string, r attach.Request, taken map[string]bool) string {
		name, _ := n.choose(types.UID(pod), owner, r, taken)
		return name
	}
	any := attach.Request{Interface: "net1"}
	data := attach.Request{Interface: "data0", Fixed: true}
	for _, step := range []struct{ reason, got, want string }{
		{"the first", choose("p", "a", any, none), "net1"},
		{"given, though no cache shows it", choose("p", "b", any, none), "net2"},
		{"the same for who asks again", choose("p", "a", any, none), "net1"},
		{"unless somebody has it after all", choose("p", "a", any, map[string]bool{"net1": true}), "net3"},
		{"another pod has names of its own", choose("q", "b", any, none), "net1"},
		{"a name that is asked for", choose("p", "c", data, none), "data0"},
		{"is given once", choose("p", "d", data, none), ""},
	} {
		if step.got != step.want {
			t.Errorf("%s: got %q, want %q", step.reason, step.got, step.want)
		}
	}
	n.free("p", "data0")
	if got := choose("p", "d", data, none); got != "data0" {
		t.Errorf("a name that is free again: got %q", got)
	}
	n.forget("p")
	if got := choose("p", "e", any, none); got != "net1" {
		t.Errorf("a pod that is gone holds no names: got %q", got)
	}
}
