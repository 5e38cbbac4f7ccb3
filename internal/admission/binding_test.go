package admission

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestCheckBinding(t *testing.T) {
	yes := true
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid-1"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
		change(p)
		return p
	}
	asIs := func(*corev1.Pod) {}
	born := func(a *v1alpha1.L2Attachment) {
		a.Annotations = map[string]string{v1alpha1.EntryAnnotation: `{"name":"lab"}`}
		a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "ping", UID: "uid-1", Controller: &yes}}
	}
	unbound := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "", "" }
	cases := map[string]struct {
		reason string
		pod    *corev1.Pod
		change func(*v1alpha1.L2Attachment)
		want   string // of CheckBinding
		port   string // of MayHavePort
	}{
		"True":      {"the controller's own work", pod(asIs), born, "", ""},
		"NoPod":     {"a pod that does not exist runs nowhere", nil, born, v1alpha1.ReasonForged, v1alpha1.ReasonForged},
		"OtherUID":  {"another life of the pod", pod(func(p *corev1.Pod) { p.UID = "uid-2" }), born, v1alpha1.ReasonForged, v1alpha1.ReasonForged},
		"OtherNode": {"another node would get the port", pod(func(p *corev1.Pod) { p.Spec.NodeName = "node-b" }), born, v1alpha1.ReasonForged, v1alpha1.ReasonForged},
		"Ended":     {"a pod that has ended has no interfaces", pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), born, v1alpha1.ReasonPodEnded, v1alpha1.ReasonPodEnded},
		"Host":      {"a pod on the node's network has none of its own", pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), born, v1alpha1.ReasonInvalid, v1alpha1.ReasonInvalid},
		"ByHand":    {"a user's, bound truly", pod(asIs), func(*v1alpha1.L2Attachment) {}, "", ""},
		"Unbound":   {"one that lost its binding", pod(asIs), func(a *v1alpha1.L2Attachment) { born(a); unbound(a) }, v1alpha1.ReasonForged, v1alpha1.ReasonForged},
		"Reserved":  {"a user's that waits for its pod has its place", nil, unbound, v1alpha1.ReasonForged, ""},
		"NotOwned":  {"an adopted one is a user's", pod(asIs), func(a *v1alpha1.L2Attachment) { born(a); a.OwnerReferences = nil }, "", ""},
		"OfAnother": {"born of another life, and bound to this one by hand", pod(asIs), func(a *v1alpha1.L2Attachment) { born(a); a.OwnerReferences[0].UID = "uid-0" }, v1alpha1.ReasonInvalid, v1alpha1.ReasonInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &v1alpha1.L2Attachment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping-net1-uid-1"},
				Spec:       v1alpha1.L2AttachmentSpec{PodName: "ping", PodUID: "uid-1", NodeName: "node-a"},
			}
			tc.change(a)
			expectReason(t, tc.reason, tc.want, CheckBinding(a, tc.pod))
			expectReason(t, tc.reason, tc.port, MayHavePort(a, tc.pod))
		})
	}
}
