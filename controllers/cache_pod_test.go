package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestKeepPod(t *testing.T) {
	now := metav1.Now()
	asks := map[string]string{v1alpha1.NetworksAnnotation: "lab", nadv1.NetworkStatusAnnot: "[]", nadv1.NetworkAttachmentAnnot: ""}
	cases := map[string]struct {
		reason    string
		pod, want corev1.Pod
	}{
		"All": {
			"what the controllers read stays, an empty annotation too",
			corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "default", Name: "ping", UID: "uid", ResourceVersion: "7", DeletionTimestamp: &now,
					Annotations: map[string]string{
						v1alpha1.NetworksAnnotation: "lab", nadv1.NetworkStatusAnnot: "[]", nadv1.NetworkAttachmentAnnot: "", "other": "x",
					},
					Labels: map[string]string{"app": "ping"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
				},
				Spec:   corev1.PodSpec{NodeName: "node-a", HostNetwork: true, Containers: []corev1.Container{{Name: "c"}}},
				Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"},
			},
			corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid", ResourceVersion: "7", DeletionTimestamp: &now, Annotations: asks},
				Spec:       corev1.PodSpec{NodeName: "node-a", HostNetwork: true},
				Status:     corev1.PodStatus{Phase: corev1.PodRunning},
			},
		},
		"Plain": {
			"a pod that asks for nothing has no map",
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", Annotations: map[string]string{"other": "x"}}},
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kept := keptOf(t, &tc.pod)
			if diff := cmp.Diff(&tc.want, kept.Expand()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			again, err := keepPod(kept)
			if err != nil || again != any(kept) {
				t.Errorf("an informer may transform twice: got %v, %v", again, err)
			}
			meta := kept.GetObjectMeta()
			if meta.GetNamespace() != tc.want.Namespace || meta.GetName() != tc.want.Name || meta.GetResourceVersion() != tc.want.ResourceVersion {
				t.Errorf("the informer reads %v", meta)
			}
		})
	}
}

func keptOf(t *testing.T, pod *corev1.Pod) *keptPod {
	t.Helper()
	kept, err := keepPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(*keptPod)
}
