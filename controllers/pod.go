package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// PodReconciler makes L2Attachments of what pods ask for: as soon as a pod has
// its node, with MAC and addresses already in them, one API write each. It
// takes them back as soon as the pod has ended or is gone.
type PodReconciler struct {
	client.Client
	placement *placement
	Recorder  events.EventRecorder
	// attachments are woken when the interface is free that they were refused.
	attachments *wakeups
	names       *interfaceNames
	stages      *stages
	settling    settling
	told        told
	awaited     awaited
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile brings one pod's attachments in line with its annotations.
func (r *PodReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return r.settling.result(req, r.reconcile(ctx, req.NamespacedName))
}

func (r *PodReconciler) reconcile(ctx context.Context, key types.NamespacedName) error {
	pod, existing, err := r.gather(ctx, key)
	if err != nil {
		return err
	}
	if pod.UID == "" || attach.Ended(pod) {
		r.placement.ledger.Forget(key)
		r.told.forget(key)
		r.awaited.set(key, nil)
		return r.remove(ctx, planEnd(existing))
	}
	if pod.Spec.NodeName == "" {
		return nil // a pod that waits for a node holds no address
	}
	r.attachments.wake(freed(pod, existing)...)

	complaints, err := mainNetwork(ctx, r, pod)
	if err != nil {
		return err
	}
	asked, err := askedOf(ctx, r, pod)
	if unreadable, ok := errors.AsType[*attach.SyntaxError](err); ok {
		r.told.tell(r.Recorder, pod, append(complaints, v1alpha1.InvalidNetworksEvent(unreadable)))
		return nil // until the annotation changes
	}
	if err != nil {
		return err
	}
	if pod.Spec.HostNetwork {
		r.told.tell(r.Recorder, pod, append(complaints, turnedAway(asked)...))
		return nil
	}
	plan := planPod(asked, r.names.seen(pod.UID, asked.attachments))
	if err := r.remove(ctx, plan); err != nil {
		return err
	}
	more, err := r.create(ctx, asked, plan)
	r.told.tell(r.Recorder, pod, slices.Concat(complaints, plan.complaints, more))
	return err
}

// gather reads the pod, empty where it is gone, and the attachments that carry
// its name.
func (r *PodReconciler) gather(ctx context.Context, key types.NamespacedName) (*corev1.Pod, []v1alpha1.L2Attachment, error) {
	pod := &corev1.Pod{}
	if err := r.Get(ctx, key, pod); client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("get pod %q: %w", key, err)
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{podIndex: key.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list attachments of pod %q: %w", key, err)
	}
	return pod, list.Items, nil
}

// turnedAway is the complaint of a pod on its node's own network, which gets no
// interfaces.
func turnedAway(asked asked) []v1alpha1.Event {
	if len(asked.requests)+len(asked.refused) == 0 {
		return nil
	}
	return []v1alpha1.Event{v1alpha1.HostNetworkEvent()}
}

func (r *PodReconciler) remove(ctx context.Context, plan podPlan) error {
	for _, a := range plan.remove {
		if err := deleteAttachment(ctx, r, a); err != nil {
			return err
		}
	}
	return nil
}
