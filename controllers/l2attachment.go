package controllers

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// L2AttachmentReconciler binds users' attachments to their pods, completes
// attachments that wait, and says on each whether it is accepted. It speaks
// only after the port is committed, off the path that a pod waits for.
type L2AttachmentReconciler struct {
	client.Client
	Admission *Admission
	Recorder  events.EventRecorder
	networks  *wakeups
	committed *committed
	names     *interfaceNames
	stages    *stages
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments/status,verbs=patch
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile brings one attachment to its port, or says why it has none.
func (r *L2AttachmentReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	a := &v1alpha1.L2Attachment{}
	if err := r.Get(ctx, req.NamespacedName, a); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !a.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	pod, err := r.Admission.Pod(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}

	err = r.settle(ctx, a, pod)
	if refused, ok := asRefusal(err); ok {
		return settled(r.refused(ctx, a, pod, refused))
	}
	if err != nil || a.Bound() && !r.committed.has(a.NetworkKey(), a) {
		return settled(err) // the network's commit brings the attachment here again
	}
	return settled(r.reportAccepted(ctx, a))
}

// settle binds and completes an attachment, in one write, and says whether it
// is accepted as it then stands.
func (r *L2AttachmentReconciler) settle(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	before := a.DeepCopy()
	var errs refusalFirst
	if attach.UserMade(a) {
		errs.add(r.bind(ctx, a, pod))
	} else {
		errs.add(r.checkBorn(ctx, a, pod))
	}
	lacks, err := r.lacksLease(ctx, a)
	errs.add(err)
	granted := false
	if lacks && errs.refusal == nil && errs.err == nil {
		err := r.grant(ctx, a, pod)
		granted = err == nil
		errs.add(err)
	}
	if errs.err != nil {
		return errs.err
	}
	if err := r.write(ctx, before, a, granted); err != nil {
		return err
	}
	if errs.refusal != nil {
		return errs.refusal
	}
	return r.Admission.Accept(ctx, a, pod)
}

// refusalFirst keeps the first refusal, which is no reason to stop, and the
// first error, which is.
type refusalFirst struct{ refusal, err error }

func (e *refusalFirst) add(err error) {
	_, refused := asRefusal(err)
	switch {
	case refused && e.refusal == nil:
		e.refusal = err
	case err != nil && !refused && e.err == nil:
		e.err = err
	}
}

// lacksLease says whether the attachment has yet to be given a MAC address, or
// addresses where its network assigns them.
func (r *L2AttachmentReconciler) lacksLease(ctx context.Context, a *v1alpha1.L2Attachment) (bool, error) {
	if !a.Complete() {
		return true, nil
	}
	network, err := r.Admission.network(ctx, a.NetworkKey())
	if err != nil {
		return false, err
	}
	return network.Spec.IPAM != nil && len(a.Spec.Addresses) == 0, nil
}

// grant reserves what the attachment asks for and records it.
func (r *L2AttachmentReconciler) grant(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	request, err := r.request(ctx, a, pod)
	if err != nil {
		return err
	}
	lease, err := r.Admission.Grant(ctx, client.ObjectKeyFromObject(a), a.UID, a.PodKey(), request)
	if err != nil {
		return err
	}
	record(a, lease)
	return nil
}

// write patches the attachment if anything differs, and takes a grant back that
// the API refused to record.
func (r *L2AttachmentReconciler) write(ctx context.Context, before, a *v1alpha1.L2Attachment, granted bool) error {
	if equality.Semantic.DeepEqual(before, a) {
		return nil
	}
	err := r.Patch(ctx, a, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldOwner))
	if granted && isRejected(err) {
		r.Admission.Allocations.Cancel(client.ObjectKeyFromObject(a), a.UID)
	}
	if err != nil {
		return fmt.Errorf("complete attachment %q: %w", client.ObjectKeyFromObject(a), err)
	}
	if a.Bound() {
		r.stages.attachmentWritten(a)
	}
	log.FromContext(ctx).Info("Attachment written", "attachment", client.ObjectKeyFromObject(a).String(), "node", a.Spec.NodeName)
	return nil
}

// request is what an attachment asks for: a user's says so itself, as does one
// that has a MAC address; one that was born of an annotation entry asks what the
// entry asks, on the network that the attachment names by now.
func (r *L2AttachmentReconciler) request(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) (attach.Request, error) {
	if attach.UserMade(a) || a.Complete() {
		return requestOf(a), nil
	}
	asked, err := askedOf(ctx, r, pod)
	if err != nil {
		return attach.Request{}, refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	i := asked.servedBy(a)
	if i < 0 {
		return attach.Request{}, refuse(v1alpha1.EntryGone(pod.Name))
	}
	request := asked.requests[i]
	request.Network = a.NetworkKey()
	return request, nil
}

// refused frees what the attachment has without right, and reports: the
// refusal, and, where that is of a move, the port that stays.
func (r *L2AttachmentReconciler) refused(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod, refused *refusal) error {
	status := v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{refused.Condition}}
	stays, err := r.Admission.Stays(ctx, a, pod)
	if err != nil {
		return err
	}
	if stays != nil {
		status = portStatus(stays, a, r.Admission.UnderlayMTU)
		status.Conditions = []metav1.Condition{v1alpha1.MoveRefused(refused.Condition, client.ObjectKeyFromObject(stays))}
	}
	if stays == nil {
		r.giveBack(a, refused)
	}
	changed, err := r.applyStatus(ctx, a, status)
	if err != nil || !changed {
		return err
	}
	refusals.WithLabelValues(refused.Reason).Inc()
	event := v1alpha1.RefusedEvent(a.NetworkKey(), refused.Reason, status.Conditions[0].Message)
	switch {
	case pod != nil:
		emit(r.Recorder, pod, event)
	case attach.UserMade(a):
		emit(r.Recorder, a, event)
	} // what was born of a pod that is gone goes, too
	return nil
}

// giveBack frees what an attachment has held since the controller's start that
// no pod stands behind, and what it had on a network that it does not name any
// more. It lets those look again who were refused for it.
func (r *L2AttachmentReconciler) giveBack(a *v1alpha1.L2Attachment, refused *refusal) {
	hollow := refused.Reason == v1alpha1.ReasonForged || refused.Reason == v1alpha1.ReasonInvalid
	if hollow && r.Admission.Allocations.Withdraw(a) {
		r.networks.wake(a.NetworkKey())
	}
	r.networks.wake(r.Admission.Allocations.Leave(a)...)
}

func (r *L2AttachmentReconciler) reportAccepted(ctx context.Context, a *v1alpha1.L2Attachment) error {
	network, err := r.Admission.network(ctx, a.NetworkKey())
	if err != nil {
		return err
	}
	status := portStatus(network, a, r.Admission.UnderlayMTU)
	if !a.Bound() {
		status = v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{v1alpha1.AttachmentReserved()}}
	}
	_, err = r.applyStatus(ctx, a, status)
	return err
}

// requestOf is what an attachment asks for by its spec.
func requestOf(a *v1alpha1.L2Attachment) attach.Request {
	return attach.Request{
		Network:      a.NetworkKey(),
		Interface:    cmp.Or(a.Spec.Interface, "net1"),
		IPs:          attach.IPsOf(a.Spec.Addresses),
		MAC:          a.Spec.MACAddress,
		PortSecurity: a.Spec.PortSecurity,
	}
}
