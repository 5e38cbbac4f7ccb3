package controllers

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// shutOut says whether the attachment was made of an annotation and has a MAC
// address and addresses on record that it may not have any more, because its
// namespace was shut out: it is made again without them.
func (s settlement) shutOut() bool {
	return !s.on() && s.refused != nil && s.refused.Reason == v1alpha1.ReasonNotAllowed &&
		!attach.UserMade(s.attachment) && s.attachment.Complete()
}

// deleteAttachment deletes this very attachment, and not another of its name.
func deleteAttachment(ctx context.Context, c client.Writer, a *v1alpha1.L2Attachment) error {
	if err := deleteThis(ctx, c, a); err != nil {
		return fmt.Errorf("delete attachment %q: %w", client.ObjectKeyFromObject(a), err)
	}
	return nil
}

// deleteThis is for an object that may be gone, or have another of its name in its place.
func deleteThis(ctx context.Context, c client.Writer, o client.Object) error {
	uid := o.GetUID()
	err := c.Delete(ctx, o, client.Preconditions{UID: &uid})
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// rewritten says whether the attachment's spec has something new to record.
func (s settlement) rewritten() bool { return !equality.Semantic.DeepEqual(s.before, s.attachment) }

// write patches the attachment, and takes a grant back that the API refused to
// record.
func (r *L2AttachmentReconciler) write(ctx context.Context, s settlement) error {
	a, key := s.attachment, client.ObjectKeyFromObject(s.attachment)
	err := r.Patch(ctx, a, client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldOwner))
	if s.granted && isRejected(err) {
		r.placement.ledger.Cancel(key, a.UID)
	}
	if err != nil {
		return fmt.Errorf("complete attachment %q: %w", key, err)
	}
	if a.Bound() {
		r.stages.attachmentWritten(a)
	}
	log.FromContext(ctx).Info("Attachment written", "attachment", key.String(), "node", a.Spec.NodeName)
	return nil
}

// asked is what an attachment asks for: a user's says so itself, as does one
// that has a MAC address; one that was made of an annotation entry asks what the
// entry asks, on the network that the attachment names by now.
func (r *L2AttachmentReconciler) asked(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) (ipam.Request, error) {
	if attach.UserMade(a) || a.Complete() {
		return admission.RequestOf(requestOf(a))
	}
	asked, err := askedOf(ctx, r, pod)
	if err != nil {
		return ipam.Request{}, admission.Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	i := asked.servedBy(a)
	if i < 0 {
		return ipam.Request{}, admission.Refuse(v1alpha1.EntryGone(pod.Name))
	}
	return admission.RequestOf(asked.requests[i])
}

// requestOf is what an attachment asks for by its spec.
func requestOf(a *v1alpha1.L2Attachment) attach.Request {
	return attach.Request{
		Network:      a.NetworkKey(),
		Interface:    cmp.Or(a.Spec.Interface, "net1"),
		IPs:          attach.IPsOf(a.Spec.Addresses),
		MAC:          a.Spec.MACAddress,
		PortSecurity: a.Spec.PortSecurity,
		Roles:        a.Spec.Roles,
	}
}
