package controllers

import (
	"encoding/json"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/multus"
)

// podPlan is what is to be done for a pod.
type podPlan struct {
	create []attach.Request
	remove []*v1alpha1.L2Attachment
	// complaints are what is wrong with what the pod asks for.
	complaints []v1alpha1.Event
}

// planPod compares what a pod asks for with the attachments that carry its
// name. An attachment whose entry has changed is removed; its removal brings
// the pod here again, and then it is re-created. Seen are the interfaces of ours
// that the pod has, or has had.
func planPod(asked asked, seen map[string]bool) podPlan {
	plan := podPlan{remove: surplus(asked)}
	for i := range asked.attachments {
		if a := &asked.attachments[i]; ofAnotherPod(a, asked.pod.UID) {
			plan.remove = append(plan.remove, a)
		}
	}
	for _, r := range asked.refused {
		plan.complaints = append(plan.complaints, v1alpha1.InvalidNetworksEvent(r.Err))
	}
	if !asked.pod.DeletionTimestamp.IsZero() {
		return plan // a pod on its way out gets nothing new
	}
	goes := map[string]bool{}
	for _, a := range plan.remove {
		goes[a.Name] = true
	}
	var wired map[wire]bool
	if slices.Contains(asked.Serving[asked.own:], nil) {
		wired = wiredBefore(asked.pod, seen)
	}
	for i, request := range asked.requests {
		switch {
		case asked.Serving[i] != nil || goes[attach.Name(asked.pod.Name, asked.pod.UID, request.Interface)]:
		case i >= asked.own && wired[wire{request.Network, request.Interface}]:
			plan.complaints = append(plan.complaints, v1alpha1.OtherPluginEvent(request.Network, request.Interface))
		default:
			plan.create = append(plan.create, request)
		}
	}
	return plan
}

// surplus are the attachments that no entry asks for any more. One whose entry
// can't be served for another entry's sake is kept: it was there first.
func surplus(asked asked) []*v1alpha1.L2Attachment {
	stays := map[wire]bool{}
	for _, r := range asked.refused {
		stays[wire{r.Network, r.Interface}] = true
	}
	var all []*v1alpha1.L2Attachment
	for _, a := range asked.Surplus {
		if !stays[wire{a.NetworkKey(), a.Spec.Interface}] {
			all = append(all, a)
		}
	}
	return all
}

// ofAnotherPod says whether an attachment belongs to a pod that is gone, since
// another one has its name: it was made for that one, or of its annotation,
// which it tells by itself where a backup has brought it back without an owner.
func ofAnotherPod(a *v1alpha1.L2Attachment, pod types.UID) bool {
	if !a.DeletionTimestamp.IsZero() {
		return false
	}
	if owner := podOwner(a); owner != "" {
		return owner != pod
	}
	born := a.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy && a.Annotations[v1alpha1.EntryAnnotation] != ""
	return born && a.Spec.PodUID != pod
}

// wiredBefore are the entries of the Multus annotation that Multus says are
// wired although no attachment of ours has had that interface: another plugin
// did, before their definition became ours.
func wiredBefore(pod *corev1.Pod, seen map[string]bool) map[wire]bool {
	var list []nadv1.NetworkStatus
	if err := json.Unmarshal([]byte(pod.Annotations[nadv1.NetworkStatusAnnot]), &list); err != nil {
		return nil
	}
	wired := map[wire]bool{}
	for _, s := range list {
		if key, names := multus.StatusDefinition(s.Name); names && !seen[s.Interface] {
			wired[wire{key, s.Interface}] = true
		}
	}
	return wired
}

// planEnd is planPod for a pod that has ended or is gone: what belongs to it,
// or to an earlier one of its name, goes.
func planEnd(attachments []v1alpha1.L2Attachment) podPlan {
	plan := podPlan{}
	for i := range attachments {
		a := &attachments[i]
		if ofAnotherPod(a, "") {
			plan.remove = append(plan.remove, a)
		}
	}
	return plan
}

// newAttachment is the attachment that a pod's request asks for. It waits until
// a lease is recorded in it.
func newAttachment(pod *corev1.Pod, request attach.Request) *v1alpha1.L2Attachment {
	yes := true
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   pod.Namespace,
			Name:        attach.Name(pod.Name, pod.UID, request.Interface),
			Annotations: map[string]string{v1alpha1.EntryAnnotation: request.Entry},
			Labels:      map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID, Controller: &yes,
			}},
		},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName:      pod.Name,
			PodUID:       pod.UID,
			NodeName:     pod.Spec.NodeName,
			Network:      v1alpha1.NetworkReference{Name: request.Network.Name},
			Interface:    request.Interface,
			PortSecurity: request.PortSecurity,
			Roles:        request.Roles,
		},
	}
	if request.Network.Namespace != pod.Namespace {
		a.Spec.Network.Namespace = request.Network.Namespace
	}
	return a
}
