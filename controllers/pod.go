package controllers

import (
	"context"
	"errors"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
)

// PodReconciler makes L2Attachments of what pods ask for: as soon as a pod has
// its node, with MAC and addresses already in them, one API write each. It
// takes them back as soon as the pod has ended or is gone.
type PodReconciler struct {
	client.Client
	placement *placement
	Recorder  events.EventRecorder
	names     *interfaceNames
	stages    *stages
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile brings one pod's attachments in line with its annotations.
func (r *PodReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pod, existing, err := r.gather(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if pod.UID == "" || attach.Ended(pod) {
		r.placement.ledger.Forget(req.NamespacedName)
		return ctrl.Result{}, r.remove(ctx, planEnd(existing))
	}
	if pod.Spec.NodeName == "" {
		return ctrl.Result{}, nil // a pod that waits for a node holds no address
	}

	asked, err := askedOf(ctx, r, pod)
	if unreadable, ok := errors.AsType[*attach.SyntaxError](err); ok {
		r.complain(pod, unreadable)
		return ctrl.Result{}, nil // until the annotation changes
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if pod.Spec.HostNetwork {
		r.turnAway(pod, asked.requests)
		return ctrl.Result{}, nil
	}
	plan := planPod(asked)
	if err := r.remove(ctx, plan); err != nil {
		return ctrl.Result{}, err
	}
	return settled(r.create(ctx, asked, plan))
}

// gather reads the pod, empty where it is gone, and the attachments that carry
// its name.
func (r *PodReconciler) gather(ctx context.Context, key types.NamespacedName) (*corev1.Pod, []v1alpha1.L2Attachment, error) {
	pod := &corev1.Pod{}
	if err := r.Get(ctx, key, pod); client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("get pod %q: %w", key, err)
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{podIndex: key.Name}); err != nil {
		return nil, nil, fmt.Errorf("list attachments of pod %q: %w", key, err)
	}
	return pod, list.Items, nil
}

// turnAway tells a pod on its node's own network that it gets no interfaces.
func (r *PodReconciler) turnAway(pod *corev1.Pod, requests []attach.Request) {
	if len(requests) > 0 {
		emit(r.Recorder, pod, v1alpha1.HostNetworkEvent())
	}
}

// complain tells of an annotation that can't be read, unless it is a Multus
// annotation of a pod that asks nothing of us.
func (r *PodReconciler) complain(pod *corev1.Pod, err *attach.SyntaxError) {
	if attach.Asks(pod) || err.Annotation != nadv1.NetworkAttachmentAnnot {
		emit(r.Recorder, pod, v1alpha1.InvalidNetworksEvent(err))
	}
}

func (r *PodReconciler) remove(ctx context.Context, plan podPlan) error {
	for _, a := range plan.remove {
		uid := a.UID
		err := r.Delete(ctx, a, client.Preconditions{UID: &uid})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete attachment %q: %w", client.ObjectKeyFromObject(a), err)
		}
	}
	return nil
}

func (r *PodReconciler) create(ctx context.Context, asked asked, plan podPlan) error {
	if len(plan.create) > 0 {
		alive, err := r.placement.alive(ctx, asked.pod, r.names.served(asked.pod.UID))
		if err != nil || !alive {
			return err
		}
	}
	taken := asked.takenBy(plan.create)
	var all []error
	for _, request := range plan.create {
		name, free := r.names.choose(asked.pod.UID, "entry "+request.Entry, request, taken)
		if free {
			request.Interface = name
			taken[name] = true // an equal entry has another
		}
		all = append(all, r.attach(ctx, asked.pod, request))
	}
	r.stages.podServed(asked.pod.UID)
	return errors.Join(all...)
}

// attach makes one attachment: complete, or, where it is refused, waiting. The
// attachment's own reconcile says why, and completes it later.
func (r *PodReconciler) attach(ctx context.Context, pod *corev1.Pod, request attach.Request) error {
	a := newAttachment(pod, request)
	lease, err := r.placement.grant(ctx, a, request)
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
