package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
)

// A user's attachment belongs to a name, and is bound to one life of the pod
// of that name after the other:
//
//	           the pod runs on a node                 the pod has ended, or is gone
//	unbound ───────────────────────────────> bound ────────────────────────────────> unbound
//	   addresses reserved, no port             port; podUID, nodeName, interface
//
// One that was created with the podUID of a pod that runs is bound once, and
// goes with that pod: its owner, from then on.

// life is what binds an attachment to one life of a pod: zero for none.
type life struct {
	uid  types.UID
	node string
}

// lifeFor is what a user's attachment is to be bound to. The pod is nil where
// none has its name, which must be the API's own word and not a cache's: then a
// podUID without an owner is one that a backup has brought back.
func lifeFor(a *v1alpha1.L2Attachment, pod *corev1.Pod) (life, error) {
	if ownLife(a, pod) {
		return onlyLife(a, pod)
	}
	switch {
	case pod == nil || attach.Ended(pod) || pod.Spec.NodeName == "":
		return life{}, nil
	case pod.Spec.HostNetwork:
		return life{}, admission.Refuse(v1alpha1.HostNetwork(pod.Name))
	case !pod.DeletionTimestamp.IsZero() && a.Spec.PodUID != pod.UID:
		return life{}, nil // it waits for the next one
	default:
		return life{pod.UID, pod.Spec.NodeName}, nil
	}
}

// onlyLife is lifeFor for an attachment that was created for one life of a pod.
func onlyLife(a *v1alpha1.L2Attachment, pod *corev1.Pod) (life, error) {
	stands := life{a.Spec.PodUID, a.Spec.NodeName}
	switch {
	case pod == nil || pod.UID != stands.uid || stands.node != "" && stands.node != pod.Spec.NodeName:
		return stands, admission.Refuse(v1alpha1.BindingMismatch(a))
	case attach.Ended(pod):
		return stands, admission.Refuse(v1alpha1.PodEnded(pod.Name))
	case pod.Spec.HostNetwork:
		return stands, admission.Refuse(v1alpha1.HostNetwork(pod.Name))
	default:
		return life{stands.uid, pod.Spec.NodeName}, nil
	}
}

// ownLife says whether a user's attachment belongs to one life of a pod: it has
// that pod for an owner, or was created with a podUID. Only its creation counts,
// and what the controller has bound before is marked, so that it is known when a
// backup creates it again.
func ownLife(a *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	if podOwner(a) != "" {
		return true
	}
	created := a.Generation <= 1 && a.Annotations[v1alpha1.PersistentAnnotation] == ""
	return created && a.Spec.PodUID != "" && pod != nil
}

// podOwner is the UID of the pod that an attachment goes with, empty for none.
func podOwner(a *v1alpha1.L2Attachment) types.UID {
	for _, owner := range a.OwnerReferences {
		if owner.Kind == "Pod" && owner.APIVersion == "v1" {
			return owner.UID
		}
	}
	return ""
}

// bind writes a life into a user's attachment, with what goes with it: the
// interface's name, the annotation entry that it serves, and the owner of one
// that was created for this pod. A refusal says why it can't be bound.
func (r *L2AttachmentReconciler) bind(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	own := ownLife(a, pod)
	to, err := lifeFor(a, pod)
	if err == nil && to.node != "" {
		err = r.nameInterface(ctx, a, pod)
	}
	if _, refused := admission.AsRefusal(err); err != nil && !refused {
		return err
	}
	switch {
	case err == nil && own && podOwner(a) == "":
		a.OwnerReferences = append(a.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID})
	case err != nil && own:
		return err // what a user wrote stays as it is
	case err != nil:
		to = life{}
	case !own && to.node != "":
		metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1alpha1.PersistentAnnotation, "true")
	}
	a.Spec.PodUID, a.Spec.NodeName = to.uid, to.node
	return err
}

// nameInterface gives an attachment its interface in the pod: that of the annotation
// entry that it serves, its own, or the next that is free.
func (r *L2AttachmentReconciler) nameInterface(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	asked, err := askedOf(ctx, r, pod)
	if unreadable, ok := errors.AsType[*attach.SyntaxError](err); ok {
		if a.Spec.PodUID == pod.UID && a.Spec.Interface != "" {
			return nil // what it has, it keeps
		}
		return admission.Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, unreadable.Error()))
	}
	if err != nil {
		return err
	}
	owner, want := client.ObjectKeyFromObject(a).String(), attach.Request{Interface: "net1"}
	if a.Spec.Interface != "" {
		want = attach.Request{Interface: a.Spec.Interface, Fixed: true}
	}
	if i := asked.servedBy(a); i >= 0 {
		metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1alpha1.EntryAnnotation, asked.requests[i].Entry)
		// The entry may have been given a name before this attachment was seen.
		r.names.inherit(pod.UID, owner, entryOwner(asked.requests[i].Entry))
		if a.Spec.Interface == "" {
			want = attach.Request{Interface: asked.requests[i].Interface, Fixed: asked.requests[i].Fixed}
		}
	}
	name, free := r.names.choose(pod.UID, owner, want, asked.takenBut(a))
	if !free {
		return admission.Refuse(v1alpha1.InterfaceTaken(pod.Name, want.Interface))
	}
	a.Spec.Interface = name
	return nil
}

// checkBorn says whether an attachment that was made of a pod's annotation is
// bound to that pod, and has its interface.
func (r *L2AttachmentReconciler) checkBorn(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if err := admission.CheckBinding(a, pod); err != nil {
		return err
	}
	list := &v1alpha1.L2AttachmentList{}
	err := r.List(ctx, list, client.InNamespace(a.Namespace), client.MatchingFields{podIndex: a.Spec.PodName}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list attachments of pod %q: %w", a.PodKey(), err)
	}
	return mayHold(a, pod, list.Items)
}
