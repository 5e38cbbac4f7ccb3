package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// keepNetwork is the transform of the networks' informer: all stays but what
// others wrote about it, and a status that says what the spec does has its
// memory. Networks are read too often to be made from less each time.
func keepNetwork(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Network)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	n.ManagedFields, n.Labels, n.Annotations = nil, nil, nil
	n.Namespace, n.Finalizers = one(n.Namespace), finalizersOf(&n.ObjectMeta)
	n.Spec.Type, n.Spec.PortSecurity, n.Spec.AllowedNamespaces.From = one(n.Spec.Type), one(n.Spec.PortSecurity), one(n.Spec.AllowedNamespaces.From)
	n.Status.Conditions = conditionsOf(n.Status.Conditions)
	if n.Spec.IPAM != nil {
		n.Spec.IPAM.Subnets = slices.Clone(n.Spec.IPAM.Subnets)
		shareSubnets(&n.Status, n.Spec.IPAM.Subnets)
	}
	if equality.Semantic.DeepEqual(n.Status.InForce, &n.Spec) {
		n.Status.InForce = &n.Spec
	}
	return n, nil
}

func shareSubnets(s *v1alpha1.L2NetworkStatus, subnets []string) {
	if len(subnets) == 1 {
		s.Subnets = sameAs(subnets[0], s.Subnets)
	}
	if s.IPAM != nil && slices.Equal(s.IPAM.Ranges, subnets) {
		s.IPAM.Ranges = subnets
	}
}
