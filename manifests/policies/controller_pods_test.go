//go:build integration

package policies_test

import (
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestControllerWritesNetworkStatusOnly(t *testing.T) {
	namespace, controller := newNamespace(t), as(t, controllerAccount, nil)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "p",
			Labels:      map[string]string{"app": "web"},
			Annotations: map[string]string{"user": "x", nadv1.NetworkStatusAnnot: "[]"},
			Finalizers:  []string{"example.com/keep"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	create(t, p)
	t.Cleanup(func() { // without a kubelet, the finalizer would keep the namespace
		_ = admin.Patch(t.Context(), p, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
	})
	p.Status.Phase, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, "10.0.0.1", []corev1.PodIP{{IP: "10.0.0.1"}}
	if err := admin.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}

	cases := map[string]struct {
		reason  string
		change  func(*corev1.Pod)
		allowed bool
	}{
		"NetworkStatus": {"It is what the right is for.", func(p *corev1.Pod) { p.Annotations[nadv1.NetworkStatusAnnot] = "[{}]" }, true},
		"Annotation":    {"Other annotations are others'.", func(p *corev1.Pod) { p.Annotations["user"] = "y" }, false},
		"Added":         {"Nor are any added.", func(p *corev1.Pod) { p.Annotations["new"] = "y" }, false},
		"Removed":       {"Nor removed.", func(p *corev1.Pod) { delete(p.Annotations, "user") }, false},
		"Label":         {"Services follow labels.", func(p *corev1.Pod) { p.Labels["app"] = "db" }, false},
		"Finalizer":     {"A finalizer has its owner.", func(p *corev1.Pod) { p.Finalizers = nil }, false},
		"Phase":         {"The kubelet says how the pod fares.", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, false},
		"Address":       {"Services send where the status says.", func(p *corev1.Pod) { p.Status.PodIP, p.Status.PodIPs[0].IP = "10.0.0.2", "10.0.0.2" }, false},
	}
	write := func(c client.Client, change func(*corev1.Pod)) error {
		changed := p.DeepCopy()
		change(changed)
		return c.Status().Patch(t.Context(), changed, client.MergeFrom(p), client.DryRunAll)
	}
	eventually(t, func(g Gomega) {
		err := write(controller, cases["Label"].change)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := write(controller, tc.change)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
			if err := write(admin, tc.change); err != nil {
				t.Errorf("others are not concerned: %v", err)
			}
		})
	}
}
