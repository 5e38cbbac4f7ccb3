package controllers

import (
	"slices"
	"unique"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
	"l2sm.io/l2sm/internal/multus"
)

// keptPod is what the cache keeps of a pod: what the controllers read, in the
// way that takes the least memory. A cluster may have many pods, most of which
// ask for no network.
type keptPod struct {
	name, resourceVersion string
	uid                   types.UID
	namespace, node       unique.Handle[string]
	phase                 unique.Handle[corev1.PodPhase]
	deletionTimestamp     *metav1.Time
	annotations           []annotation
	hostNetwork           bool
}

// annotation is one of a few: a map takes 300 bytes for the first.
type annotation struct{ key, value string }

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
	kept := &keptPod{
		name: pod.Name, resourceVersion: pod.ResourceVersion, uid: pod.UID,
		namespace: unique.Make(pod.Namespace), node: unique.Make(pod.Spec.NodeName), phase: unique.Make(pod.Status.Phase),
		deletionTimestamp: pod.DeletionTimestamp, hostNetwork: pod.Spec.HostNetwork,
	}
	for _, key := range podAnnotations {
		if value, has := pod.Annotations[key]; has {
			kept.annotations = append(kept.annotations, annotation{key, value})
		}
	}
	return kept, nil
}

// Expand implements compact.Object.
func (k *keptPod) Expand() runtime.Object {
	pod := &corev1.Pod{
		ObjectMeta: k.meta(),
		Spec:       corev1.PodSpec{NodeName: k.node.Value(), HostNetwork: k.hostNetwork},
		Status:     corev1.PodStatus{Phase: k.phase.Value()},
	}
	for _, a := range k.annotations {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, a.key, a.value)
	}
	return pod
}

// GetObjectMeta implements compact.Object. The informer asks often, and reads no
// annotations.
func (k *keptPod) GetObjectMeta() metav1.Object {
	meta := k.meta()
	return &meta
}

func (k *keptPod) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: k.namespace.Value(), Name: k.name, UID: k.uid, ResourceVersion: k.resourceVersion,
		DeletionTimestamp: k.deletionTimestamp,
	}
}

var _ compact.Object = &keptPod{}
