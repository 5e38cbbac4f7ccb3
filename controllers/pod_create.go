package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
)

// create makes the attachments of a plan, but for those that something is in the
// way of, and says what that is.
func (r *PodReconciler) create(ctx context.Context, asked asked, plan podPlan) ([]v1alpha1.Event, error) {
	served := r.names.served(asked.pod.UID)
	named := r.name(asked, plan.create)
	open, complaints, err := r.unobstructed(ctx, asked.pod, named)
	if err != nil {
		return nil, err
	}
	if len(open) > 0 {
		alive, err := r.placement.alive(ctx, asked.pod, served)
		if err != nil || !alive {
			return complaints, err
		}
	}
	var all []error
	for _, request := range open {
		err := r.attach(ctx, asked.pod, request)
		if isRefusedByAPI(err) {
			complaints = append(complaints, v1alpha1.CreationRefusedEvent("L2Attachment", apiReason(err)))
			err = fmt.Errorf("%w: %w", admission.ErrBehind, err)
		}
		all = append(all, err)
	}
	r.stages.podServed(asked.pod.UID)
	return complaints, errors.Join(all...)
}

// namedRequest is a request with its interface's final name. One that can't have
// the name that it asks for is taken from: it waits.
type namedRequest struct {
	attach.Request
	taken bool
}

// name gives requests their interfaces in the pod.
func (r *PodReconciler) name(asked asked, requests []attach.Request) []namedRequest {
	taken := asked.taken(nil)
	named := make([]namedRequest, len(requests))
	for i, request := range requests {
		name, free := r.names.choose(asked.pod.UID, entryOwner(request.Entry), request, taken)
		if free {
			request.Interface = name
		}
		named[i] = namedRequest{request, taken[request.Interface]}
		taken[request.Interface] = true // an equal entry has another
	}
	return named
}

// unobstructed are the requests whose attachments' names are free. The pod
// waits for the others, and a watch brings it back.
func (r *PodReconciler) unobstructed(ctx context.Context, pod *corev1.Pod, requests []namedRequest) (open []namedRequest, complaints []v1alpha1.Event, err error) {
	keys := make([]types.NamespacedName, len(requests))
	for i, request := range requests {
		keys[i] = attachmentKey(pod, request.Interface)
	}
	r.awaited.set(client.ObjectKeyFromObject(pod), keys)
	for i, request := range requests {
		obstacle, err := r.obstacleTo(ctx, pod, keys[i])
		if err != nil {
			return nil, nil, err
		}
		if obstacle != "" {
			complaints = append(complaints, v1alpha1.AttachmentObstructedEvent(request.Network, obstacle))
			continue
		}
		open = append(open, request)
	}
	return open, complaints, nil
}

func attachmentKey(pod *corev1.Pod, iface string) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: attach.Name(pod.Name, pod.UID, iface)}
}

// attach makes one attachment: complete, or, where it is refused or its
// interface is another's, waiting. The attachment's own reconcile says why, and
// completes it later.
func (r *PodReconciler) attach(ctx context.Context, pod *corev1.Pod, request namedRequest) error {
	a := newAttachment(pod, request.Request)
	if request.taken {
		return r.write(ctx, a)
	}
	lease, err := r.placement.grant(ctx, a, request.Request)
	if _, refused := admission.AsRefusal(err); err != nil && !refused {
		return err
	}
	if err == nil {
		admission.Record(a, lease)
	}
	return r.write(ctx, a)
}

func (r *PodReconciler) write(ctx context.Context, a *v1alpha1.L2Attachment) error {
	owner := client.ObjectKeyFromObject(a)
	err := r.Create(ctx, a, client.FieldOwner(fieldOwner))
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		r.placement.ledger.Cancel(owner, "")
		return nil
	}
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create attachment %q: %w", owner, admission.ErrBehind)
	}
	if isRejected(err) {
		r.placement.ledger.Cancel(owner, "")
	}
	if err != nil {
		return fmt.Errorf("create attachment %q: %w", owner, err)
	}
	r.placement.ledger.Confirm(owner, a.UID)
	r.names.note(a.Spec.PodUID, a.Spec.Interface)
	if a.Complete() {
		r.stages.attachmentWritten(a)
		log.FromContext(ctx).Info("Attachment written", "attachment", owner.String())
	}
	return nil
}

// isRejected says that a write was not carried out. After any other error (a
// time-out, a lost connection) it may have been.
func isRejected(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= 400 && code < 500
}

// isRefusedByAPI says that the API understood a write and did not let it pass: a
// quota is used up, or an admission plugin or policy is against it. A conflict, a
// time-out or a busy server is none.
func isRefusedByAPI(err error) bool {
	return isRejected(err) && (apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err))
}

// apiReason is what the API said, without what we tried.
func apiReason(err error) error {
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return status
	}
	return err
}
