package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// asked is what a pod asks of us, beside the attachments that carry its name.
type asked struct {
	pod *corev1.Pod
	// requests are those that can be served, those of our own annotation first:
	// own says how many. Refused are entries of the Multus annotation that are
	// ours and can't be served.
	requests, refused []attach.Request
	own               int
	// foreign are the interface names that other plugins' entries have.
	foreign     map[string]bool
	attachments []v1alpha1.L2Attachment
	attach.Matched
}

// askedOf reads what is ours to serve of a pod's annotations. An error that is
// an *attach.SyntaxError stays until the annotation changes.
func askedOf(ctx context.Context, reader client.Reader, pod *corev1.Pod) (asked, error) {
	requests, err := attach.Parse(pod)
	if err != nil {
		return asked{}, err
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := reader.List(ctx, list, client.InNamespace(pod.Namespace), client.MatchingFields{podIndex: pod.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return asked{}, fmt.Errorf("list attachments of pod %q: %w", client.ObjectKeyFromObject(pod), err)
	}
	k := asked{pod: pod, requests: requests.Own, own: len(requests.Own), foreign: setOf(requests.Held), attachments: list.Items}
	served := entriesServed(pod, list.Items)
	for _, r := range requests.Own {
		served[r.Entry]-- // that one is not Multus'
	}
	for _, r := range requests.Multus {
		ours, err := servesEntry(ctx, reader, r, served[r.Entry] > 0)
		if err != nil {
			return asked{}, err
		}
		if ours {
			served[r.Entry]--
			k.add(r)
		}
	}
	k.Matched = attach.Match(pod, k.requests, k.attachments)
	return k, nil
}

func (k *asked) add(r attach.Request) {
	if r.Err != nil {
		k.refused = append(k.refused, r)
		return
	}
	k.requests = append(k.requests, r)
	delete(k.foreign, r.Interface)
}

// entriesServed counts the attachments of this life of the pod that serve an
// annotation's entry, by the entry.
func entriesServed(pod *corev1.Pod, attachments []v1alpha1.L2Attachment) map[string]int {
	served := map[string]int{}
	for i := range attachments {
		if a := &attachments[i]; a.Spec.PodUID == pod.UID && a.DeletionTimestamp.IsZero() {
			served[a.Annotations[v1alpha1.EntryAnnotation]]++
		}
	}
	delete(served, "")
	return served
}

// servesEntry says whether an entry of the Multus annotation is ours: it names a
// definition that we keep, or an attachment serves it and its network is there.
// A definition that is deleted or changed cuts off no pod that is attached by it.
func servesEntry(ctx context.Context, reader client.Reader, r attach.Request, served bool) (bool, error) {
	kept, err := keepsDefinition(ctx, reader, r.Network)
	if err != nil || kept || !served {
		return kept, err
	}
	err = reader.Get(ctx, r.Network, &v1alpha1.L2Network{})
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("get network %q: %w", r.Network, err)
	}
	return err == nil, nil
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
// of the attachment and of the entry that it serves. What an entry asks for that
// nothing serves yet does not take an interface away.
func (k asked) takenBut(a *v1alpha1.L2Attachment) map[string]bool {
	taken := k.taken(a)
	mine := k.servedBy(a)
	holds := a.Spec.PodUID == k.pod.UID
	for i, r := range k.requests {
		named := k.Serving[i] != nil && k.Serving[i].Spec.Interface != ""
		held := holds && r.Interface == a.Spec.Interface
		if i != mine && !named && !held {
			taken[r.Interface] = true
		}
	}
	return taken
}

// taken are the interface names of other plugins' entries and of the pod's
// attachments that stay, but for one, and for those that would lose their
// interface to it.
func (k asked) taken(but *v1alpha1.L2Attachment) map[string]bool {
	taken := map[string]bool{}
	for name := range k.foreign {
		taken[name] = true
	}
	goes := map[types.UID]bool{}
	for _, a := range k.Surplus {
		goes[a.UID] = true
	}
	for i := range k.attachments {
		a := &k.attachments[i]
		yields := but != nil && (a.UID == but.UID || a.Spec.Interface == but.Spec.Interface && heldBefore(but, a))
		if a.Spec.PodUID == k.pod.UID && !yields && !goes[a.UID] {
			taken[a.Spec.Interface] = true
		}
	}
	return taken
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
