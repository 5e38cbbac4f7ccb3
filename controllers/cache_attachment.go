package controllers

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
)

// keptAttachment is what the cache keeps of an L2Attachment: all but what others
// wrote about it.
type keptAttachment struct {
	keptOwn
	labels      map[string]string
	annotations []annotation
	owners      []metav1.OwnerReference
	spec        v1alpha1.L2AttachmentSpec
	status      v1alpha1.L2AttachmentStatus
	conditions  []keptCondition // those of the status
}

// keepAttachment is the transform of the attachments' informer.
func keepAttachment(object any) (any, error) {
	a, ok := object.(*v1alpha1.L2Attachment)
	if !ok {
		return object, nil // kept already, or a tombstone of the informer
	}
	kept := &keptAttachment{
		keptOwn: ownOf(&a.ObjectMeta),
		labels:  labelsOf(&a.ObjectMeta), annotations: annotationsOf(&a.ObjectMeta, v1alpha1.EntryAnnotation, v1alpha1.PersistentAnnotation),
		owners: ownersOf(&a.ObjectMeta, a.Spec.PodName, a.Spec.PodUID),
		spec:   a.Spec, status: a.Status, conditions: conditionsOf(a.Status.Conditions),
	}
	spec, status := &kept.spec, &kept.status
	spec.NodeName, spec.Interface, spec.PortSecurity = one(spec.NodeName), one(spec.Interface), one(spec.PortSecurity)
	spec.Network.Namespace = one(spec.Network.Namespace)
	spec.Addresses = slices.Clone(spec.Addresses)
	status.Conditions = nil
	if on := status.Network; on != nil {
		status.Network = &v1alpha1.NetworkReference{Name: sameAs(spec.Network.Name, on.Name), Namespace: one(on.Namespace)}
	}
	if len(spec.Addresses) == 1 {
		status.Addresses = sameAs(spec.Addresses[0], status.Addresses)
	}
	return kept, nil
}

// Expand implements compact.Object. Slices are shared with the cache, as they
// were when it had the attachment itself: what is read without a copy is not
// changed.
func (k *keptAttachment) Expand() runtime.Object {
	a := &v1alpha1.L2Attachment{ObjectMeta: k.expanded(), Spec: k.spec, Status: k.status}
	a.Labels, a.Annotations = k.labels, mapOf(k.annotations)
	a.OwnerReferences = k.owners
	a.Status.Conditions = expandedConditions(k.conditions)
	return a
}

var _ compact.Object = &keptAttachment{}
