package controllers

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

func TestPlanPod(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "4f2a9c1e-0000"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
	before := pod.DeepCopy()
	before.UID = "00000000-0000"
	alike := pod.DeepCopy()
	alike.UID = "4f2a9c1e-9999"
	lab := attach.Request{Network: types.NamespacedName{Namespace: "default", Name: "lab"}, Interface: "net1", Entry: `{"name":"lab"}`}
	edited := lab
	edited.Entry = `{"name":"lab","ips":["10.0.0.9"]}`
	more := attach.Request{Network: types.NamespacedName{Namespace: "other", Name: "more"}, Interface: "net2", Entry: `{"name":"more"}`}
	byHand := v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "mine"}, Spec: v1alpha1.L2AttachmentSpec{PodName: "ping"}}
	adopted := *byHand.DeepCopy()
	adopted.Spec.Network.Name = "lab"
	ofGone := *byHand.DeepCopy()
	ofGone.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "ping", UID: "gone"}}
	unowned, disowned := *newAttachment(before, lab), *newAttachment(pod, lab)
	unowned.OwnerReferences, disowned.OwnerReferences = nil, nil

	now := metav1.Now()
	going := *newAttachment(before, lab)
	going.DeletionTimestamp = &now
	cases := map[string]struct {
		reason         string
		wanted         []attach.Request
		existing       []v1alpha1.L2Attachment
		create, remove []string
	}{
		"New":         {"all is to be made, in the annotation's order", []attach.Request{more, lab}, nil, []string{"net2", "net1"}, nil},
		"Settled":     {"nothing differs", []attach.Request{lab}, []v1alpha1.L2Attachment{*newAttachment(pod, lab)}, nil, nil},
		"Added":       {"one more", []attach.Request{lab, more}, []v1alpha1.L2Attachment{*newAttachment(pod, lab)}, []string{"net2"}, nil},
		"Dropped":     {"one less", []attach.Request{lab}, []v1alpha1.L2Attachment{*newAttachment(pod, lab), *newAttachment(pod, more)}, nil, []string{"ping-net2-4f2a9c1e"}},
		"Edited":      {"an edited entry replaces its attachment, once the old one is gone", []attach.Request{edited}, []v1alpha1.L2Attachment{*newAttachment(pod, lab)}, nil, []string{"ping-net1-4f2a9c1e"}},
		"Recreated":   {"the predecessor's goes, the pod's own comes", []attach.Request{lab}, []v1alpha1.L2Attachment{*newAttachment(before, lab)}, []string{"net1"}, []string{"ping-net1-00000000"}},
		"Adopted":     {"what a user made for the network is not doubled", []attach.Request{lab, more}, []v1alpha1.L2Attachment{adopted}, []string{"net2"}, nil},
		"OfGone":      {"what a user made for a life of the pod goes with it", nil, []v1alpha1.L2Attachment{ofGone}, nil, []string{"mine"}},
		"Alike":       {"a predecessor whose UID begins alike has the name still", []attach.Request{lab}, []v1alpha1.L2Attachment{*newAttachment(alike, lab)}, nil, []string{"ping-net1-4f2a9c1e"}},
		"Gone":        {"a pod that is gone leaves nothing", nil, []v1alpha1.L2Attachment{*newAttachment(pod, lab)}, nil, []string{"ping-net1-4f2a9c1e"}},
		"Terminating": {"a pod on its way out keeps what it has and gets nothing new", []attach.Request{lab, more}, []v1alpha1.L2Attachment{*newAttachment(pod, lab)}, nil, nil},
		"Restored":    {"what a backup brought back of an earlier pod's annotation goes", nil, []v1alpha1.L2Attachment{unowned}, nil, []string{"ping-net1-00000000"}},
		"Unowned":     {"what lost its owner stays with its pod", []attach.Request{lab}, []v1alpha1.L2Attachment{disowned}, nil, nil},
		"GoesAlready": {"what is being deleted is not deleted again", []attach.Request{lab}, []v1alpha1.L2Attachment{going}, []string{"net1"}, nil},
		"ByHand":      {"a user's own is the user's to remove", nil, []v1alpha1.L2Attachment{byHand}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := pod.DeepCopy()
			if name == "Terminating" {
				pod.DeletionTimestamp = &now
			}
			plan := planPod(asked{pod: pod, requests: tc.wanted, attachments: tc.existing, Matched: attach.Match(pod, tc.wanted, tc.existing)}, nil)
			var create, remove []string
			for _, r := range plan.create {
				create = append(create, r.Interface)
			}
			for _, a := range plan.remove {
				remove = append(remove, a.Name)
			}
			if diff := cmp.Diff(tc.create, create); diff != "" {
				t.Errorf("%s: create: -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.remove, remove); diff != "" {
				t.Errorf("%s: remove: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// What Multus says of an entry is another plugin's work where no attachment of
// ours has had that interface.
func TestPlanOfWhatOthersWired(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "12345678", Annotations: map[string]string{
		nadv1.NetworkStatusAnnot: `[{"name":"cluster","default":true},{"name":"default/lab","interface":"net1"}]`,
	}}}
	on := func(name, iface string) attach.Request {
		return attach.Request{Network: types.NamespacedName{Namespace: "default", Name: name}, Interface: iface, Entry: name + iface}
	}
	cases := map[string]struct {
		reason     string
		request    attach.Request
		own        int
		seen       map[string]bool
		create     bool
		complaints int
	}{
		"Another":    {"Another plugin wired it.", on("lab", "net1"), 0, nil, false, 1},
		"Seen":       {"It was ours, and is re-created.", on("lab", "net1"), 0, map[string]bool{"net1": true}, true, 0},
		"Later":      {"The pod asks for one more.", on("lab", "net2"), 0, nil, true, 0},
		"Network":    {"Or for another network.", on("more", "net1"), 0, nil, true, 0},
		"Annotation": {"Our own annotation is nobody else's to serve.", on("lab", "net1"), 1, nil, true, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			requests := []attach.Request{tc.request}
			plan := planPod(asked{pod: pod, requests: requests, own: tc.own, Matched: attach.Match(pod, requests, nil)}, tc.seen)
			if (len(plan.create) == 1) != tc.create || len(plan.complaints) != tc.complaints {
				t.Errorf("%s Got create %v and complaints %v, want create %v and %d", tc.reason, plan.create, plan.complaints, tc.create, tc.complaints)
			}
		})
	}
}

// An entry that can't be served for another entry's sake keeps the attachment
// that it has.
func TestPlanKeepsTheFirstOfTwo(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "12345678"}}
	lab := attach.Request{Network: types.NamespacedName{Namespace: "default", Name: "lab"}, Interface: "net1", Entry: "lab"}
	more := attach.Request{Network: types.NamespacedName{Namespace: "default", Name: "more"}, Interface: "net2", Entry: "more"}
	attachments := []v1alpha1.L2Attachment{*newAttachment(pod, lab), *newAttachment(pod, more)}
	lab.Err, more.Interface, more.Err = errors.New("shared"), "net1", errors.New("shared")
	plan := planPod(asked{pod: pod, refused: []attach.Request{lab, more}, attachments: attachments, Matched: attach.Match(pod, nil, attachments)}, nil)
	if len(plan.remove) != 1 || plan.remove[0].Spec.Interface != "net2" || len(plan.create) != 0 || len(plan.complaints) != 2 {
		t.Errorf("got %+v, want the second removed, the first kept, and both told", plan)
	}
}
