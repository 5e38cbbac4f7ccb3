package controllers

import (
	"slices"
	"unique"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// The transforms of L2Attachments and L2Networks drop what the controllers read
// nowhere. They write by patches of what they change, so that nothing dropped is
// lost to the API; lists, which a patch replaces whole, are kept whole.
//
// The rest takes less memory than as it was decoded, when each string is made
// again and slices have room for four. Objects in a cache are not changed, so
// parts that are equal can be one.

func keepAttachment(object any) (any, error) {
	a, ok := object.(*v1alpha1.L2Attachment)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	keepMeta(&a.ObjectMeta, v1alpha1.EntryAnnotation, v1alpha1.PersistentAnnotation)
	for i := range a.OwnerReferences {
		owner := &a.OwnerReferences[i]
		owner.Name, owner.UID = sameAs(a.Spec.PodName, owner.Name), sameAs(a.Spec.PodUID, owner.UID)
	}
	a.Spec.NodeName, a.Spec.Interface, a.Spec.PortSecurity = one(a.Spec.NodeName), one(a.Spec.Interface), one(a.Spec.PortSecurity)
	a.Spec.Network.Namespace = one(a.Spec.Network.Namespace)
	a.Spec.Addresses = slices.Clone(a.Spec.Addresses)
	a.Status.Conditions = keepConditions(a.Status.Conditions)
	if on := a.Status.Network; on != nil {
		on.Name, on.Namespace = sameAs(a.Spec.Network.Name, on.Name), one(on.Namespace)
	}
	if len(a.Spec.Addresses) == 1 {
		a.Status.Addresses = sameAs(a.Spec.Addresses[0], a.Status.Addresses)
	}
	return a, nil
}

func keepNetwork(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Network)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	keepMeta(&n.ObjectMeta)
	n.Spec.Type, n.Spec.PortSecurity, n.Spec.AllowedNamespaces.From = one(n.Spec.Type), one(n.Spec.PortSecurity), one(n.Spec.AllowedNamespaces.From)
	n.Status.Conditions = keepConditions(n.Status.Conditions)
	if n.Spec.IPAM != nil {
		n.Spec.IPAM.Subnets = slices.Clone(n.Spec.IPAM.Subnets)
		keepAddresses(&n.Status, n.Spec.IPAM.Subnets)
	}
	if equality.Semantic.DeepEqual(n.Status.InForce, &n.Spec) {
		n.Status.InForce = &n.Spec
	}
	return n, nil
}

// keepAddresses lets a status that says what the spec does have its strings.
func keepAddresses(s *v1alpha1.L2NetworkStatus, subnets []string) {
	if len(subnets) == 1 {
		s.Subnets = sameAs(subnets[0], s.Subnets)
	}
	if s.IPAM != nil && slices.Equal(s.IPAM.Ranges, subnets) {
		s.IPAM.Ranges = subnets
	}
}

// keepMeta keeps of the annotations those that are read. Of labels the
// controllers read their own.
func keepMeta(m *metav1.ObjectMeta, annotations ...string) {
	m.ManagedFields = nil
	m.Namespace = one(m.Namespace)
	m.Labels = keepLabels(m.Labels)
	m.Annotations = only(m.Annotations, annotations)
	m.Finalizers = slices.Clone(m.Finalizers)
	for i := range m.Finalizers {
		m.Finalizers[i] = one(m.Finalizers[i])
	}
	m.OwnerReferences = slices.Clone(m.OwnerReferences)
	for i := range m.OwnerReferences {
		owner := &m.OwnerReferences[i]
		owner.APIVersion, owner.Kind, owner.Name = one(owner.APIVersion), one(owner.Kind), sameAs(m.Name, owner.Name)
		owner.Controller, owner.BlockOwnerDeletion = oneBool(owner.Controller), oneBool(owner.BlockOwnerDeletion)
	}
}

// managed are the labels of what we make.
var managed = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}

func keepLabels(labels map[string]string) map[string]string {
	value, has := labels[v1alpha1.ManagedByLabel]
	switch {
	case !has:
		return nil
	case value == v1alpha1.ManagedBy:
		return managed
	default:
		return map[string]string{v1alpha1.ManagedByLabel: value}
	}
}

func only(annotations map[string]string, keys []string) map[string]string {
	var kept map[string]string
	for _, key := range keys {
		value, has := annotations[key]
		if !has {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[key] = value
	}
	return kept
}

func keepConditions(conditions []metav1.Condition) []metav1.Condition {
	kept := slices.Clone(conditions)
	for i := range kept {
		c := &kept[i]
		c.Type, c.Status, c.Reason, c.Message = one(c.Type), one(c.Status), one(c.Reason), one(c.Message)
	}
	return kept
}

// one is the one string of those that are equal.
func one[T ~string](s T) T { return unique.Make(s).Value() }

// sameAs is s, in the memory of one that is likely equal.
func sameAs[T ~string](likely, s T) T {
	if likely == s {
		return likely
	}
	return s
}

var yes, no = true, false

func oneBool(b *bool) *bool {
	switch {
	case b == nil:
		return nil
	case *b:
		return &yes
	default:
		return &no
	}
}
