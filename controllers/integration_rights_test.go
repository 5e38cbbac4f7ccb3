//go:build integration

package controllers_test

import (
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestControllerMayNotChangePods: an attacker on the controller's node must not
// get every other node with it, so the controller's user may write a pod's
// network status and nothing that says what the pod runs.
func TestControllerMayNotChangePods(t *testing.T) {
	w := start(t)
	pod := w.podWith("p", map[string]string{nadv1.NetworkStatusAnnot: "[]"}, nil)
	controller, err := client.New(w.api.controller, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	image := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/containers/0/image","value":"evil"}]`))
	status := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/metadata/annotations/k8s.v1.cni.cncf.io~1network-status","value":"[{}]"}]`))

	if err := controller.Patch(t.Context(), pod.DeepCopy(), image); !apierrors.IsForbidden(err) {
		t.Errorf("patch of a pod's image: got error %v, want Forbidden", err)
	}
	if err := controller.Status().Patch(t.Context(), pod.DeepCopy(), image); err != nil {
		t.Errorf("patch of an image by pods/status: %v; want it ignored", err)
	}
	if err := controller.Status().Patch(t.Context(), pod.DeepCopy(), status); err != nil {
		t.Errorf("patch of the network status by pods/status: %v", err)
	}
	got := &corev1.Pod{}
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(pod), got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Containers[0].Image != "none" || got.Annotations[nadv1.NetworkStatusAnnot] != "[{}]" {
		t.Errorf("got image %q and network status %q, want %q and %q",
			got.Spec.Containers[0].Image, got.Annotations[nadv1.NetworkStatusAnnot], "none", "[{}]")
	}
}
