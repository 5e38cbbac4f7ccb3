package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// reads gather what decisions depend on.
type reads struct {
	// cached is a cache of the API, live the API itself, where a cache's lag would
	// do harm.
	cached, live client.Reader
}

// network is nil where the API has none of the name.
func (r *reads) network(ctx context.Context, key types.NamespacedName) (*v1alpha1.L2Network, error) {
	network := &v1alpha1.L2Network{}
	err := r.cached.Get(ctx, key, network)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get network %q: %w", key, err)
	}
	return network, nil
}

// surroundings are those of attachments of a namespace that ask for the
// network.
func (r *reads) surroundings(ctx context.Context, network *v1alpha1.L2Network, namespace string) (admission.Surroundings, error) {
	var s admission.Surroundings
	var err error
	if s.NetworkGoes, err = r.goes(ctx, network); err != nil || namespace == network.Namespace || !selects(network) {
		return s, err
	}
	guest, err := r.namespace(ctx, namespace)
	if err != nil {
		return s, err
	}
	s.Labels = guest.Labels
	return s, nil
}

// selects says whether the network lets namespaces in by their labels, by the
// spec that is asked for or the one in force.
func selects(network *v1alpha1.L2Network) bool {
	inForce := network.Status.InForce
	return network.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromSelector ||
		inForce != nil && inForce.AllowedNamespaces.From == v1alpha1.NamespacesFromSelector
}

// goes says whether the network goes with its namespace, and does not wait for
// the attachments that it has.
func (r *reads) goes(ctx context.Context, network *v1alpha1.L2Network) (bool, error) {
	if network.DeletionTimestamp.IsZero() {
		return false, nil
	}
	namespace, err := r.namespace(ctx, network.Namespace)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}

func (r *reads) namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.cached.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return nil, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return namespace, nil
}

// pod is the one that an attachment names, nil where there is none. The API
// itself is asked before a binding is found to be false, since a cache may lag,
// but once for each generation of the attachment: what is forged costs no
// request each time that others have its network looked at.
func (r *reads) pod(ctx context.Context, a *v1alpha1.L2Attachment) (*corev1.Pod, error) {
	cached, err := r.podOf(ctx, r.cached, a.PodKey())
	if err != nil {
		return nil, err
	}
	if a.Spec.PodUID == "" || cached != nil && isLifeOf(a, cached) || isForged(a) {
		return cached, nil
	}
	return r.podOf(ctx, r.live, a.PodKey())
}

// isLifeOf says whether the pod is the one that the attachment claims.
func isLifeOf(a *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return pod.UID == a.Spec.PodUID && (a.Spec.NodeName == "" || a.Spec.NodeName == pod.Spec.NodeName)
}

// isForged says whether the attachment was found to have a false binding, as it
// is now.
func isForged(a *v1alpha1.L2Attachment) bool {
	c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	return c != nil && c.Reason == v1alpha1.ReasonForged && c.ObservedGeneration == a.Generation
}

func (r *reads) podOf(ctx context.Context, from client.Reader, key types.NamespacedName) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	err := from.Get(ctx, key, pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get pod %q: %w", key, err)
	}
	return pod, nil
}

// alive says whether a pod of the cache still is. One that has started, or was
// served, had its attachments made before: where they are missing, they may
// have gone with it, and the cache has yet to hear of its end. Then the API
// itself is asked.
func (r *reads) alive(ctx context.Context, pod *corev1.Pod, served bool) (bool, error) {
	if pod.Status.Phase != corev1.PodRunning && !served {
		return true, nil
	}
	live, err := r.podOf(ctx, r.live, client.ObjectKeyFromObject(pod))
	if err != nil || live == nil {
		return false, err
	}
	return live.UID == pod.UID && live.DeletionTimestamp.IsZero(), nil
}
