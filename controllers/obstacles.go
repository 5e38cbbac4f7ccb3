package controllers

import (
	"context"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// obstacle says what is in the way of the attachment that a pod's annotation
// asks for, where another one has its name: empty where that is the pod's own,
// which the cache has shown since.
func obstacle(standing *v1alpha1.L2Attachment, pod *corev1.Pod) string {
	switch {
	case !standing.DeletionTimestamp.IsZero():
		return fmt.Sprintf("L2Attachment %q is being deleted and waits for finalizer %s; the pod is attached when it is gone",
			standing.Name, strings.Join(standing.Finalizers[:min(3, len(standing.Finalizers))], ", "))
	case attach.BornFrom(standing, pod) && standing.Spec.PodName == pod.Name:
		return ""
	default:
		return fmt.Sprintf("L2Attachment %q exists and is not this pod's; the pod is attached when it is deleted", standing.Name)
	}
}

// obstacleTo reads what is in the way of an attachment.
func (r *PodReconciler) obstacleTo(ctx context.Context, pod *corev1.Pod, attachment types.NamespacedName) (string, error) {
	standing := &v1alpha1.L2Attachment{}
	err := r.Get(ctx, attachment, standing)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get attachment %q: %w", attachment, err)
	}
	return obstacle(standing, pod), nil
}

// awaited are the attachments' names that pods wait for: what has such a name
// names another pod, or none, and its end must bring the waiting pod back.
type awaited struct {
	mu   sync.Mutex
	pods map[types.NamespacedName]types.NamespacedName   // by attachment
	by   map[types.NamespacedName][]types.NamespacedName // attachments by pod
}

// set says what a pod waits for from now on. It comes before the look at what
// has those names: whatever goes after the look brings the pod back.
func (w *awaited) set(pod types.NamespacedName, attachments []types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.by[pod] {
		delete(w.pods, name)
	}
	delete(w.by, pod)
	if len(attachments) == 0 {
		return
	}
	if w.pods == nil {
		w.pods, w.by = map[types.NamespacedName]types.NamespacedName{}, map[types.NamespacedName][]types.NamespacedName{}
	}
	w.by[pod] = attachments
	for _, name := range attachments {
		w.pods[name] = pod
	}
}

// podsOf maps an attachment to its pod, and to the one that waits for its name.
func (w *awaited) podsOf(ctx context.Context, o client.Object) []reconcile.Request {
	requests := podOfAttachment(ctx, o)
	w.mu.Lock()
	defer w.mu.Unlock()
	if pod, waits := w.pods[client.ObjectKeyFromObject(o)]; waits {
		requests = append(requests, request(pod))
	}
	return requests
}
