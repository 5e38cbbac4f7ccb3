package agent

import (
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/kube"
)

// sandboxUID is the UID that the kubelet gives a pod's sandboxes, as the runtime
// lists them and as CNI_ARGS say. It is the pod's own, but for a static pod: the
// API server has a mirror of that, with another UID, whose annotation tells the
// one that the kubelet uses.
//
// Anybody may write an annotation, and name another pod's sandbox with it: a
// sandbox is the pod's only where its namespace and name are, too.
func sandboxUID(pod *corev1.Pod) string {
	hash := pod.Annotations[kube.HashAnnotation]
	if hash != "" && hash == pod.Annotations[kube.MirrorAnnotation] {
		return hash
	}
	return string(pod.UID)
}

// isOf says whether the sandbox is one of the pod's.
func isOf(s cri.Sandbox, pod *corev1.Pod) bool {
	return pod != nil && s.PodUID == sandboxUID(pod) && s.PodNamespace == pod.Namespace && s.PodName == pod.Name
}
