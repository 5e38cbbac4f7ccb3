package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// L2AttachmentReconciler completes attachments that wait, and says on each
// whether it is accepted. It speaks only after the port is committed, off the
// path that a pod waits for.
type L2AttachmentReconciler struct {
	client.Client
	Admission *Admission
	Recorder  events.EventRecorder
	networks  *wakeups
	committed *committed
	stages    *stages
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments/status,verbs=patch
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile brings one attachment to its port, or says why it has none.
func (r *L2AttachmentReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	a := &v1alpha1.L2Attachment{}
	if err := r.Get(ctx, req.NamespacedName, a); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	pod, err := r.Admission.Pod(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}

	err = r.settle(ctx, a, pod)
	if refused, ok := asRefusal(err); ok {
		r.giveBack(a, refused)
		return ctrl.Result{}, r.reportRefusal(ctx, a, pod, refused)
	}
	if err != nil || !r.committed.has(a) {
		return settled(err) // the network's commit brings the attachment here again
	}
	return ctrl.Result{}, r.reportAccepted(ctx, a)
}

// settle completes an attachment that waits, and accepts one that is complete.
func (r *L2AttachmentReconciler) settle(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if a.Complete() {
		return r.Admission.Accept(ctx, a, pod)
	}
	if err := checkBinding(a, pod); err != nil {
		return err
	}
	request, err := r.request(ctx, a, pod)
	if err != nil {
		return err
	}
	lease, err := r.Admission.Grant(ctx, client.ObjectKeyFromObject(a), a.UID, pod, request)
	if err != nil {
		return err
	}

	before := a.DeepCopy()
	record(a, lease)
	err = r.Patch(ctx, a, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldOwner))
	if isRejected(err) {
		r.Admission.Allocations.Cancel(client.ObjectKeyFromObject(a), a.UID)
	}
	if err != nil {
		return fmt.Errorf("complete attachment %q: %w", client.ObjectKeyFromObject(a), err)
	}
	r.stages.attachmentWritten(a)
	log.FromContext(ctx).Info("Attachment written", "attachment", client.ObjectKeyFromObject(a).String())
	return nil
}

// request is what the attachment's pod asks for in the entry that the
// attachment was born from, on the network that the attachment names by now.
func (r *L2AttachmentReconciler) request(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) (attach.Request, error) {
	requests, err := wanted(ctx, r, pod)
	if err != nil {
		return attach.Request{}, refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	for _, request := range requests {
		if attach.Name(pod.Name, pod.UID, request.Interface) == a.Name && request.Entry == a.Annotations[v1alpha1.EntryAnnotation] {
			request.Network = a.NetworkKey()
			return request, nil
		}
	}
	return attach.Request{}, refuse(v1alpha1.EntryGone(pod.Name))
}

// giveBack frees what an attachment has held since the controller's start that
// no pod stands behind, and lets those look again who were refused for it.
func (r *L2AttachmentReconciler) giveBack(a *v1alpha1.L2Attachment, refused *refusal) {
	hollow := refused.Reason == v1alpha1.ReasonForged || refused.Reason == v1alpha1.ReasonInvalid
	if hollow && r.Admission.Allocations.Withdraw(a) {
		r.networks.wake(a.NetworkKey())
	}
}

func (r *L2AttachmentReconciler) reportRefusal(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod, refused *refusal) error {
	changed, err := r.applyStatus(ctx, a, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{refused.Condition}})
	if err != nil || !changed {
		return err
	}
	refusals.WithLabelValues(refused.Reason).Inc()
	if pod != nil {
		emit(r.Recorder, pod, v1alpha1.RefusedEvent(a.NetworkKey(), refused.Reason, refused.Message))
	}
	return nil
}

func (r *L2AttachmentReconciler) reportAccepted(ctx context.Context, a *v1alpha1.L2Attachment) error {
	network, err := r.Admission.network(ctx, a.NetworkKey())
	if err != nil {
		return err
	}
	_, err = r.applyStatus(ctx, a, acceptedStatus(network, a, r.Admission.UnderlayMTU))
	return err
}
