package controllers

import (
	"slices"
	"unique"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
	"l2sm.io/l2sm/internal/multus"
)

// keptPod is what the cache keeps of a pod: what the controllers read. A cluster
// may have many pods, most of which ask for no network.
type keptPod struct {
	keptMeta
	node        unique.Handle[string]
	phase       unique.Handle[corev1.PodPhase]
	annotations []annotation
	hostNetwork bool
}

// podAnnotations are those that the controllers read.
var podAnnotations = slices.Concat(requestAnnotations, []string{nadv1.NetworkStatusAnnot})

// requestAnnotations are those that pods ask by.
var requestAnnotations = []string{v1alpha1.NetworksAnnotation, v1alpha1.L2SMNetworksAnnotation, nadv1.NetworkAttachmentAnnot, multus.MainNetworkAnnotation}

// keepPod is the transform of the pods' informer.
func keepPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil // kept already, or a tombstone of the informer
	}
	return &keptPod{
		keptMeta: metaOf(&pod.ObjectMeta), annotations: annotationsOf(&pod.ObjectMeta, podAnnotations...),
		node: unique.Make(pod.Spec.NodeName), phase: unique.Make(pod.Status.Phase), hostNetwork: pod.Spec.HostNetwork,
	}, nil
}

// Expand implements compact.Object.
func (k *keptPod) Expand() runtime.Object {
	pod := &corev1.Pod{
		ObjectMeta: k.expanded(),
		Spec:       corev1.PodSpec{NodeName: k.node.Value(), HostNetwork: k.hostNetwork},
		Status:     corev1.PodStatus{Phase: k.phase.Value()},
	}
	pod.Annotations = mapOf(k.annotations)
	return pod
}

var _ compact.Object = &keptPod{}
