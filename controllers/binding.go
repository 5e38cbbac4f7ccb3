package controllers

import (
	"context"
	"fmt"
	"slices"

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
// One that was created with a podUID is bound once, and goes with that pod.

// life is what binds an attachment to one life of a pod: zero for none.
type life struct {
	uid  types.UID
	node string
}

// lifeFor is what a user's attachment is to be bound to. The pod is nil where
// none has its name.
func lifeFor(a *v1alpha1.L2Attachment, pod *corev1.Pod) (life, error) {
	if ownLife(a) {
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

// ownLife says whether a user's attachment was created for one life of a pod.
// The controller writes podUID and nodeName together, after the creation.
func ownLife(a *v1alpha1.L2Attachment) bool {
	return podOwner(a) != "" || a.Spec.PodUID != "" && (a.Spec.NodeName == "" || a.Generation == 1)
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
	own := ownLife(a)
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
	}
	a.Spec.PodUID, a.Spec.NodeName = to.uid, to.node
	return err
}

// nameInterface gives an attachment its interface in the pod: that of the annotation
// entry that it serves, its own, or the next that is free.
func (r *L2AttachmentReconciler) nameInterface(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	asked, err := askedOf(ctx, r, pod)
	if err != nil {
		return admission.Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	want := attach.Request{Interface: "net1"}
	if a.Spec.Interface != "" {
		want = attach.Request{Interface: a.Spec.Interface, Fixed: true}
	}
	if i := asked.servedBy(a); i >= 0 {
		metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1alpha1.EntryAnnotation, asked.requests[i].Entry)
		if a.Spec.Interface == "" {
			want = attach.Request{Interface: asked.requests[i].Interface, Fixed: asked.requests[i].Fixed}
		}
	}
	name, free := r.names.choose(pod.UID, client.ObjectKeyFromObject(a).String(), want, asked.takenBut(a))
	if !free {
		return admission.Refuse(v1alpha1.InterfaceTaken(pod.Name, want.Interface))
	}
	a.Spec.Interface = name
	return nil
}

// asked is what a pod asks for, beside the attachments that carry its name.
type asked struct {
	pod         *corev1.Pod
	requests    []attach.Request
	held        []string
	attachments []v1alpha1.L2Attachment
	attach.Matched
}

// askedOf reads what is ours to serve of a pod's annotations. An error that is
// an *attach.SyntaxError stays until the annotation changes.
func askedOf(ctx context.Context, reader client.Reader, pod *corev1.Pod) (asked, error) {
	requests, held, err := wanted(ctx, reader, pod)
	if err != nil {
		return asked{}, err
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := reader.List(ctx, list, client.InNamespace(pod.Namespace), client.MatchingFields{podIndex: pod.Name}); err != nil {
		return asked{}, fmt.Errorf("list attachments of pod %q: %w", client.ObjectKeyFromObject(pod), err)
	}
	return asked{pod: pod, requests: requests, held: held, attachments: list.Items, Matched: attach.Match(pod, requests, list.Items)}, nil
}

// servedBy is the index of the request that the attachment serves, -1 for none.
func (k asked) servedBy(a *v1alpha1.L2Attachment) int {
	for i, serving := range k.Serving {
		if serving != nil && serving.UID == a.UID {
			return i
		}
	}
	return -1
}

// takenBut says which interface names the pod has, or is to get, beside that
// of the attachment and of the entry that it serves.
func (k asked) takenBut(a *v1alpha1.L2Attachment) map[string]bool {
	mine := k.servedBy(a)
	taken := map[string]bool{}
	for i, request := range k.requests {
		if k.Serving[i] == nil {
			taken[request.Interface] = true
		}
	}
	for _, name := range k.held {
		taken[name] = mine < 0 || name != k.requests[mine].Interface
	}
	k.addInterfaces(taken, a.UID)
	return taken
}

// takenBy says which interface names the pod has, or is to get, beside those
// of requests that are about to be served.
func (k asked) takenBy(requests []attach.Request) map[string]bool {
	taken := map[string]bool{}
	for _, name := range k.held {
		taken[name] = !slices.ContainsFunc(requests, func(r attach.Request) bool { return r.Fixed && r.Interface == name })
	}
	k.addInterfaces(taken, "")
	return taken
}

// addInterfaces adds the interfaces of the pod's attachments that stay, but for
// one.
func (k asked) addInterfaces(taken map[string]bool, but types.UID) {
	for i := range k.attachments {
		a := &k.attachments[i]
		goes := slices.ContainsFunc(k.Surplus, func(s *v1alpha1.L2Attachment) bool { return s.UID == a.UID })
		if a.Spec.PodUID == k.pod.UID && a.UID != but && !goes {
			taken[a.Spec.Interface] = true
		}
	}
}
