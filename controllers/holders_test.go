package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestFirstHolderWins(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "one"}}
	now := metav1.Now()
	older := metav1.NewTime(now.Add(-time.Hour))
	made := func(name string, change ...func(*v1alpha1.L2Attachment)) v1alpha1.L2Attachment {
		a := v1alpha1.L2Attachment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), CreationTimestamp: now},
			Spec:       v1alpha1.L2AttachmentSpec{PodName: "p", PodUID: "one", NodeName: "node-a", Interface: "data0"},
		}
		for _, c := range change {
			c(&a)
		}
		return a
	}
	port := func(a *v1alpha1.L2Attachment) {
		a.Status.PortName, a.Spec.MACAddress = "l2sm/default/x", "02:00:00:00:00:01"
	}
	complete := func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "02:00:00:00:00:02" }
	old := func(a *v1alpha1.L2Attachment) { a.CreationTimestamp = older }
	gone := func(a *v1alpha1.L2Attachment) { a.DeletionTimestamp = &now }
	other := func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "data1" }
	refused := func(a *v1alpha1.L2Attachment) {
		a.Status.Conditions = []metav1.Condition{v1alpha1.InterfaceTaken("p", "data0")}
	}
	next := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "before" }
	all := func(list ...v1alpha1.L2Attachment) []v1alpha1.L2Attachment { return list }
	cases := map[string]struct {
		reason      string
		attachments []v1alpha1.L2Attachment
		holder      string
		freed       []string
	}{
		"Alone":    {"Nobody else has it.", all(made("a"), made("b", other)), "a", nil},
		"Port":     {"What is wired is not cut by what is older.", all(made("a", old, complete), made("b", port)), "b", nil},
		"Complete": {"Nor is what will be wired at once.", all(made("a", old), made("b", complete)), "b", nil},
		"Older":    {"Of equals the older has it.", all(made("a"), made("b", old)), "b", nil},
		"Name":     {"Of the equally old, the first by name.", all(made("b"), made("a")), "a", nil},
		"Going":    {"What goes leaves it.", all(made("a", port, gone), made("b", refused)), "b", []string{"b"}},
		"Waits":    {"What can have nothing is not woken.", all(made("a", port), made("b", refused)), "a", nil},
		"Two":      {"Of two that wait the first is woken.", all(made("a", refused), made("b", refused)), "a", []string{"a"}},
		"LastLife": {"An earlier pod of the name has nothing here.", all(made("a", port, next), made("b")), "b", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := interfacesOf(pod, tc.attachments)["data0"]; got == nil || got.Name != tc.holder {
				t.Errorf("%s Got %v, want %s", tc.reason, got, tc.holder)
			}
			for i := range tc.attachments {
				a := &tc.attachments[i]
				if a.Spec.PodUID != pod.UID || !a.DeletionTimestamp.IsZero() {
					continue
				}
				want := v1alpha1.ReasonInterfaceTaken
				if a.Name == tc.holder || a.Spec.Interface != "data0" {
					want = ""
				}
				expectReason(t, tc.reason, want, mayHold(a, pod, tc.attachments))
			}
			var woken []string
			for _, key := range freed(pod, tc.attachments) {
				woken = append(woken, key.Name)
			}
			if diff := cmp.Diff(tc.freed, woken); diff != "" {
				t.Errorf("%s woken: -want +got\n%s", tc.reason, diff)
			}
		})
	}
	if taken := (asked{pod: pod, attachments: all(made("a", port), made("b", refused))}).taken(&all(made("a", port))[0]); taken["data0"] {
		t.Error("the interface of the first holder is taken from it by one that waits for it")
	}
}
