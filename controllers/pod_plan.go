package controllers

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// podPlan is what is to be done for a pod.
type podPlan struct {
	create []attach.Request
	remove []*v1alpha1.L2Attachment
}

// planPod compares what a pod asks for with the attachments that carry its
// name. An attachment whose entry has changed is removed; its removal brings
// the pod here again, and then it is created anew.
func planPod(asked asked) podPlan {
	plan := podPlan{remove: asked.Surplus}
	for i := range asked.attachments {
		if owner := podOwner(&asked.attachments[i]); owner != "" && owner != asked.pod.UID {
			plan.remove = append(plan.remove, &asked.attachments[i]) // its pod is gone
		}
	}
	if !asked.pod.DeletionTimestamp.IsZero() {
		return plan // a pod on its way out gets nothing new
	}
	for i, request := range asked.requests {
		name := attach.Name(asked.pod.Name, asked.pod.UID, request.Interface)
		goes := slices.ContainsFunc(plan.remove, func(a *v1alpha1.L2Attachment) bool { return a.Name == name })
		if asked.Serving[i] == nil && !goes {
			plan.create = append(plan.create, request)
		}
	}
	return plan
}

// planEnd is planPod for a pod that has ended or is gone: what belongs to it,
// or to an earlier one of its name, goes.
func planEnd(attachments []v1alpha1.L2Attachment) podPlan {
	plan := podPlan{}
	for i := range attachments {
		if podOwner(&attachments[i]) != "" {
			plan.remove = append(plan.remove, &attachments[i])
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
		},
	}
	if request.Network.Namespace != pod.Namespace {
		a.Spec.Network.Namespace = request.Network.Namespace
	}
	return a
}
