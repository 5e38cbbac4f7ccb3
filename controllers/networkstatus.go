package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/multus"
)

// NetworkStatusReconciler keeps what pods say of our interfaces in annotation
// k8s.v1.cni.cncf.io/network-status (Network Plumbing Working Group,
// Multi-Network Spec v1.3, section 5). Multus writes it once, after ADD, and
// knows neither our networks' names nor what is attached later. As Multus does,
// it writes by pods/status, which takes annotations and leaves the spec alone.
type NetworkStatusReconciler struct {
	client.Client
	// First says that there is no Multus to speak first, by the setting ATTACH_BY.
	First bool
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch

// Reconcile brings one pod's annotation in line with its attachments.
func (r *NetworkStatusReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pod := &corev1.Pod{}
	if err := r.Get(ctx, req.NamespacedName, pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	text, reported := pod.Annotations[nadv1.NetworkStatusAnnot]
	if !reported && !r.First || attach.Ended(pod) {
		return ctrl.Result{}, nil // Multus speaks first; its write brings the pod here again
	}
	stands := []nadv1.NetworkStatus{}
	if reported {
		if err := json.Unmarshal([]byte(text), &stands); err != nil {
			return ctrl.Result{}, nil //nolint:nilerr // not ours to mend, and Multus' next write brings the pod here again
		}
	}
	facts, err := r.gather(ctx, pod, stands)
	if err != nil {
		return ctrl.Result{}, err
	}

	merged := multus.MergeStatus(stands, facts.ready(), facts.ours)
	if merged == nil {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.patch(ctx, pod, text, merged)
}

// patch replaces the annotation if it still is what was read: Multus may write
// at any time, other writers of the pod do not matter.
func (r *NetworkStatusReconciler) patch(ctx context.Context, pod *corev1.Pod, was string, merged []nadv1.NetworkStatus) error {
	text, err := json.MarshalIndent(merged, "", "    ") // as Multus formats it
	if err != nil {
		return fmt.Errorf("marshal network status: %w", err)
	}
	if was == "" {
		return r.annotate(ctx, pod, string(text))
	}
	const path = "/metadata/annotations/k8s.v1.cni.cncf.io~1network-status"
	steps, err := json.Marshal([]map[string]string{
		{"op": "test", "path": path, "value": was},
		{"op": "replace", "path": path, "value": string(text)},
	})
	if err != nil {
		return fmt.Errorf("marshal patch: %w", err)
	}
	err = r.Status().Patch(ctx, metadataOf(corev1.SchemeGroupVersion.WithKind("Pod"), pod), client.RawPatch(types.JSONPatchType, steps), client.FieldOwner(fieldOwner))
	if apierrors.IsInvalid(err) || apierrors.IsNotFound(err) {
		return nil // it changed meanwhile: that change brings the pod here again
	}
	if err != nil {
		return fmt.Errorf("patch network status of pod %q: %w", client.ObjectKeyFromObject(pod), err)
	}
	return nil
}

// annotate writes the annotation of a pod that has none.
func (r *NetworkStatusReconciler) annotate(ctx context.Context, pod *corev1.Pod, text string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{nadv1.NetworkStatusAnnot: text}}})
	if err != nil {
		return fmt.Errorf("marshal patch: %w", err)
	}
	err = r.Status().Patch(ctx, metadataOf(corev1.SchemeGroupVersion.WithKind("Pod"), pod), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldOwner))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write network status of pod %q: %w", client.ObjectKeyFromObject(pod), err)
	}
	return nil
}
