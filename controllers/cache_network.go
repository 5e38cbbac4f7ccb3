package controllers

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
)

// keptNetwork is what the cache keeps of an L2Network: all but what others wrote
// about it.
type keptNetwork struct {
	keptOwn
	spec       v1alpha1.L2NetworkSpec
	status     v1alpha1.L2NetworkStatus
	conditions []keptCondition // those of the status
	// inForce says that the spec is in force, and left out of the status.
	inForce bool
}

// keepNetwork is the transform of the networks' informer. A status that says
// what the spec does has its memory.
func keepNetwork(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Network)
	if !ok {
		return object, nil // kept already, or a tombstone of the informer
	}
	kept := &keptNetwork{
		keptOwn: ownOf(&n.ObjectMeta), spec: n.Spec, status: n.Status, conditions: conditionsOf(n.Status.Conditions),
	}
	spec, status := &kept.spec, &kept.status
	spec.Type, spec.PortSecurity, spec.AllowedNamespaces.From = one(spec.Type), one(spec.PortSecurity), one(spec.AllowedNamespaces.From)
	status.Conditions = nil
	if reflect.DeepEqual(status.InForce, &n.Spec) {
		kept.inForce, status.InForce = true, nil
	}
	if spec.IPAM != nil {
		spec.IPAM.Subnets = slices.Clone(spec.IPAM.Subnets)
		shareSubnets(status, spec.IPAM.Subnets)
	}
	return kept, nil
}

func shareSubnets(s *v1alpha1.L2NetworkStatus, subnets []string) {
	if len(subnets) == 1 {
		s.Subnets = sameAs(subnets[0], s.Subnets)
	}
	if s.IPAM != nil && slices.Equal(s.IPAM.Ranges, subnets) {
		s.IPAM.Ranges = subnets
	}
}

// Expand implements compact.Object. It shares with the cache what
// keptAttachment's does.
func (k *keptNetwork) Expand() runtime.Object {
	n := &v1alpha1.L2Network{ObjectMeta: k.expanded(), Spec: k.spec, Status: k.status}
	n.Status.Conditions = expandedConditions(k.conditions)
	if k.inForce {
		spec := k.spec
		n.Status.InForce = &spec
	}
	return n
}

var _ compact.Object = &keptNetwork{}
