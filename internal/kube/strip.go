package kube

import (
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Annotations of the mirror pod that a kubelet makes of a static pod
// (k8s.io/kubernetes/pkg/kubelet/types, ConfigMirrorAnnotationKey and
// ConfigHashAnnotationKey).
const (
	MirrorAnnotation = "kubernetes.io/config.mirror"
	HashAnnotation   = "kubernetes.io/config.hash"
)

// podAnnotations are those that the agent reads.
var podAnnotations = []string{v1alpha1.NetworksAnnotation, v1alpha1.L2SMNetworksAnnotation, nadv1.NetworkAttachmentAnnot, MirrorAnnotation, HashAnnotation}

// stripPod keeps of a pod what the agent reads.
func stripPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	stripped := &corev1.Pod{}
	stripped.Namespace, stripped.Name, stripped.UID, stripped.ResourceVersion = pod.Namespace, pod.Name, pod.UID, pod.ResourceVersion
	stripped.DeletionTimestamp = pod.DeletionTimestamp
	stripped.Annotations = only(pod.Annotations, podAnnotations)
	stripped.Spec.NodeName, stripped.Spec.HostNetwork = pod.Spec.NodeName, pod.Spec.HostNetwork
	stripped.Status.Phase = pod.Status.Phase
	return stripped, nil
}

// stripAttachment keeps of an L2Attachment all but what others wrote about it.
func stripAttachment(object any) (any, error) {
	a, ok := object.(*v1alpha1.L2Attachment)
	if !ok {
		return object, nil
	}
	a.ManagedFields, a.Labels = nil, nil
	a.Annotations = only(a.Annotations, []string{v1alpha1.EntryAnnotation})
	return a, nil
}

// stripL2Node keeps of an L2Node its status.
func stripL2Node(object any) (any, error) {
	if n, ok := object.(*v1alpha1.L2Node); ok {
		n.ManagedFields, n.Labels, n.Annotations = nil, nil, nil
	}
	return object, nil
}

func only(annotations map[string]string, keys []string) map[string]string {
	var kept map[string]string
	for _, key := range keys {
		value, has := annotations[key]
		if !has {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[key] = value
	}
	return kept
}
