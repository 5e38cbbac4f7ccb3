package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// L2AttachmentReconciler finds out where an attachment is, binds users'
// attachments to their pods, completes what waits, and says on each whether it
// is accepted. Its work does not depend on how many others its network has.
//
//	gather ──> bind, place ──> decide (pure) ──> one write of the spec, or the port and the status
type L2AttachmentReconciler struct {
	client.Client
	Recorder  events.EventRecorder
	placement *placement
	ports     *ports
	networks  *wakeups
	names     *interfaceNames
	stages    *stages
	settling  settling
	waiting   waiting
	floods    floods
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
	if err := r.placement.loaded.wait(ctx, r.placement); err != nil {
		return ctrl.Result{}, err
	}
	s, err := r.settle(ctx, req.NamespacedName)
	if err != nil || s.attachment == nil {
		return r.settling.result(req, err)
	}
	switch {
	case s.shutOut():
		return r.settling.result(req, deleteAttachment(ctx, r, s.attachment)) // its pod's reconcile makes it again
	case s.rewritten():
		return r.settling.result(req, r.write(ctx, s)) // its event brings the attachment here again
	default:
		result, err := r.settling.result(req, r.report(ctx, s))
		if err == nil && result.RequeueAfter == 0 {
			result.RequeueAfter = s.again(time.Now())
		}
		return result, err
	}
}

// settlement is what one look at an attachment has found. The attachment is nil
// where it is gone.
type settlement struct {
	place
	// before is the cache's own object, attachment what becomes of it.
	before, attachment *v1alpha1.L2Attachment
	pod                *corev1.Pod
	// granted says that a lease was taken for what the attachment is about to
	// record.
	granted bool
	// committed says that the port is in the database, or, where agents write those,
	// that it has its tunnel key.
	committed bool
	// node is what is to be said of a node that is not Ready, nil for nothing.
	node *metav1.Condition
	// learning is condition Learning, nil for none.
	learning *metav1.Condition
}

// settle finds the attachment's place and says what its port is.
func (r *L2AttachmentReconciler) settle(ctx context.Context, key types.NamespacedName) (settlement, error) {
	defer r.placement.turns.Take(key)()
	before := &v1alpha1.L2Attachment{}
	err := r.Get(ctx, key, before, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) || err == nil && !before.DeletionTimestamp.IsZero() {
		r.gone(key, before)
		return settlement{}, nil
	}
	if err != nil {
		return settlement{}, fmt.Errorf("get attachment %q: %w", key, err)
	}
	a := before.DeepCopy()
	s := settlement{before: before, attachment: a}
	if s.pod, err = r.placement.pod(ctx, a); err != nil {
		return settlement{}, err
	}
	unbound, err := r.rebind(ctx, a, s.pod)
	if err != nil {
		return settlement{}, err
	}
	if s.place, s.granted, err = r.place(ctx, a, s.pod, unbound); err != nil {
		return settlement{}, err
	}
	if s.on() && a.Bound() {
		s.learning = r.flooding(a)
	}
	if !s.rewritten() {
		s.committed = r.setPort(s)
	}
	return s, nil
}

// gone releases what an attachment had.
func (r *L2AttachmentReconciler) gone(key types.NamespacedName, a *v1alpha1.L2Attachment) {
	r.waiting.set(key, "")
	r.networks.wake(r.ports.remove(key)...)
	if a.UID != "" {
		r.placement.ledger.Withdraw(a)
	}
	r.placement.ledger.Gone(key)
	r.floods.forget(key)
	if a.UID == "" { // what is on its way out is on record still
		r.placement.keys.attachmentGone(key)
	}
}

// rebind binds a user's attachment to its pod, in memory, and looks whether one
// that was made of an annotation still is. A refusal says why it is bound to
// none.
func (r *L2AttachmentReconciler) rebind(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) (*admission.Refusal, error) {
	check := r.bind
	if !attach.UserMade(a) {
		check = r.checkBorn
	}
	err := check(ctx, a, pod)
	refused, is := admission.AsRefusal(err)
	if is {
		return refused, nil
	}
	return nil, err
}

// place takes what the attachment has on its network, and records it where it
// has none on record. One that could not be bound keeps what it has reserved.
func (r *L2AttachmentReconciler) place(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod, unbound *admission.Refusal) (place, bool, error) {
	f, err := r.placement.gather(ctx, a, pod, func() (ipam.Request, error) { return r.asked(ctx, a, pod) })
	if err != nil {
		return place{}, false, err
	}
	if unbound != nil && f.binding == nil && (!a.Complete() || !attach.UserMade(a)) {
		f.binding = unbound
	}
	at, err := r.placement.take(f)
	if err != nil {
		return place{}, false, err
	}
	if unbound != nil {
		at.refused = unbound
	}
	granted := at.on() && at.refused == nil && admission.Lacks(at.Network, a)
	if granted {
		admission.Record(a, at.Lease)
	}
	return at, granted, nil
}

// setPort says what the attachment's port is, has its network written where
// that is new, and says whether the port is in the database, and its node was told
// the MTU before.
func (r *L2AttachmentReconciler) setPort(s settlement) bool {
	r.placement.arrive(s.before, s.place)
	if !r.placement.keys.direct {
		return s.keying == keyHeld
	}
	r.networks.wake(r.ports.follow(s.place, s.ported())...)
	return s.on() && s.attachment.Status.MTU != 0 && r.ports.has(client.ObjectKeyFromObject(s.Network), s.attachment)
}
