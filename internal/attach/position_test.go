package attach

import (
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// An edit of a running pod's Multus annotation shifts places. An entry that
// stays keeps its attachment, and with it its interface, MAC and addresses.
func TestPlacesShift(t *testing.T) {
	cases := map[string]struct {
		reason, was, is string
		// serves is the interface of the attachment that serves each entry of
		// is; surplus are those of attachments that none needs.
		serves, surplus []string
	}{
		"FirstGoes":  {"The second entry moves to the first place and keeps net2.", "a,b", "b", []string{"net2"}, []string{"net1"}},
		"MiddleGoes": {"Those behind it keep theirs.", "a,b,c", "a,c", []string{"net1", "net3"}, []string{"net2"}},
		"Swapped":    {"The order alone changes nothing.", "a,b", "b,a", []string{"net2", "net1"}, nil},
		"FirstComes": {"A new first entry takes nobody's interface.", "b", "a,b", []string{"", "net1"}, nil},
		"Named":      {"A name that is asked for is not the place's: the attachment is another.", "a,b@net2", "b@net1", []string{""}, []string{"net1", "net2"}},
		"Twice":      {"Of two equal entries the one goes whose place goes.", "a,a", "a", []string{"net1"}, []string{"net2"}},
	}
	parse := func(pod *corev1.Pod, text string) []Request {
		pod.Annotations = map[string]string{nadv1.NetworkAttachmentAnnot: text}
		requests, err := Parse(pod)
		if err != nil {
			t.Fatal(err)
		}
		return requests.Multus
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "12345678"}}
			var attachments []v1alpha1.L2Attachment
			for _, r := range parse(pod, tc.was) {
				attachments = append(attachments, bornOf(pod, r))
			}
			matched := Match(pod, parse(pod, tc.is), attachments)
			for i, want := range tc.serves {
				got := ""
				if a := matched.Serving[i]; a != nil {
					got = a.Spec.Interface
				}
				if got != want {
					t.Errorf("%s Entry %d is served by %q, want %q", tc.reason, i+1, got, want)
				}
			}
			var surplus []string
			for _, a := range matched.Surplus {
				surplus = append(surplus, a.Spec.Interface)
			}
			if len(surplus) != len(tc.surplus) {
				t.Errorf("%s Got surplus %v, want %v", tc.reason, surplus, tc.surplus)
			}
		})
	}
}

// bornOf is the attachment that the controller makes for a request.
func bornOf(pod *corev1.Pod, r Request) v1alpha1.L2Attachment {
	yes := true
	return v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: Name(pod.Name, pod.UID, r.Interface),
			Annotations:     map[string]string{v1alpha1.EntryAnnotation: r.Entry},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID, Controller: &yes}},
		},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: pod.Name, PodUID: pod.UID, NodeName: "node-a", Interface: r.Interface,
			Network: v1alpha1.NetworkReference{Namespace: r.Network.Namespace, Name: r.Network.Name},
		},
	}
}
