package controllers

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// podPlan is what is to be done for a pod.
type podPlan struct {
	create []attach.Request
	remove []*v1alpha1.L2Attachment
}

// planPod compares what a pod wants with the attachments that carry its name.
// An attachment whose entry has changed is removed; its removal brings the pod
// here again, and then it is created anew.
func planPod(pod *corev1.Pod, wanted []attach.Request, existing []v1alpha1.L2Attachment) podPlan {
	plan := podPlan{}
	open := map[string]attach.Request{}
	for _, request := range wanted {
		open[attach.Name(pod.Name, pod.UID, request.Interface)] = request
	}
	for i := range existing {
		a := &existing[i]
		request, isWanted := open[a.Name]
		delete(open, a.Name)
		if !bornFromAPod(a) {
			continue // a user's own, and the user's to remove
		}
		if !isWanted || !bornFrom(a, pod) || a.Annotations[v1alpha1.EntryAnnotation] != request.Entry {
			plan.remove = append(plan.remove, a)
		}
	}
	if !pod.DeletionTimestamp.IsZero() {
		return plan // a pod on its way out gets nothing new
	}
	for _, request := range wanted {
		if _, missing := open[attach.Name(pod.Name, pod.UID, request.Interface)]; missing {
			plan.create = append(plan.create, request)
		}
	}
	return plan
}

// bornFromAPod says whether the attachment was made of some pod's annotation:
// of this one, or of one of its name that is gone.
func bornFromAPod(a *v1alpha1.L2Attachment) bool {
	owner := metav1.GetControllerOf(a)
	return owner != nil && owner.Kind == "Pod" && a.Annotations[v1alpha1.EntryAnnotation] != ""
}

// newAttachment is the attachment that a pod's request asks for. Without a
// lease it waits: it is complete when it has a MAC address.
func newAttachment(pod *corev1.Pod, request attach.Request, lease *ipam.Lease) *v1alpha1.L2Attachment {
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
		},
	}
	if request.Network.Namespace != pod.Namespace {
		a.Spec.Network.Namespace = request.Network.Namespace
	}
	if lease != nil {
		record(a, *lease)
	}
	return a
}

// record writes a lease into an attachment, which completes it.
func record(a *v1alpha1.L2Attachment, lease ipam.Lease) {
	a.Spec.MACAddress = lease.MAC.String()
	a.Spec.Addresses = nil
	for _, address := range lease.Addresses {
		a.Spec.Addresses = append(a.Spec.Addresses, address.String())
	}
}
