package controllers

import (
	"errors"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// networkStatus is the status that a network is to have.
func networkStatus(network *v1alpha1.L2Network, facts networkFacts, underlayMTU int32) v1alpha1.L2NetworkStatus {
	status := v1alpha1.L2NetworkStatus{
		Conditions:  append([]metav1.Condition(nil), network.Status.Conditions...),
		Attachments: int32(len(facts.accepted) + len(facts.reserving)),
		MTU:         network.EffectiveMTU(underlayMTU),
		IPAM:        network.Status.IPAM,
	}
	accepted := specCondition(network, underlayMTU)
	if facts.invalid != nil {
		accepted = v1alpha1.NetworkInvalid(facts.invalid)
	}
	if facts.invalid == nil {
		status.IPAM = inForce(network)
	}
	conditions := []metav1.Condition{accepted, programmed(accepted, facts)}
	if !network.DeletionTimestamp.IsZero() && len(facts.users) > 0 {
		conditions = append(conditions, v1alpha1.NetworkInUse(facts.users))
	}
	if len(facts.users) == 0 {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionDeleting)
	}
	for _, c := range conditions {
		c.ObservedGeneration = network.Generation
		meta.SetStatusCondition(&status.Conditions, c)
	}
	return status
}

func programmed(accepted metav1.Condition, facts networkFacts) metav1.Condition {
	if errors.Is(facts.programming, ovn.ErrNotConnected) {
		return v1alpha1.NotProgrammed(v1alpha1.ReasonNorthbound, "OVN's northbound database can't be reached; what is in it keeps working")
	}
	if facts.programming != nil {
		return v1alpha1.NotProgrammed(v1alpha1.ReasonFailed, facts.programming.Error())
	}
	if accepted.Status != metav1.ConditionTrue {
		return v1alpha1.NotProgrammed(v1alpha1.ReasonNotAccepted, "this spec is not in force: "+accepted.Message)
	}
	return v1alpha1.Programmed(len(facts.accepted))
}

// inForce is the spec's ipam as status. A restarted controller reads it as
// what was in force before.
func inForce(network *v1alpha1.L2Network) *v1alpha1.IPAMStatus {
	if network.Spec.IPAM == nil {
		return nil
	}
	status := &v1alpha1.IPAMStatus{Ranges: network.Spec.IPAM.Ranges, Excluded: network.Spec.IPAM.Excluded}
	if len(status.Ranges) == 0 {
		status.Ranges = network.Spec.IPAM.Subnets
	}
	return status
}

// newEvents are the events that go with conditions that have turned bad, or
// have something new to say.
func newEvents(before, now []metav1.Condition, facts networkFacts) []v1alpha1.Event {
	var all []v1alpha1.Event
	for _, c := range now {
		if stood := meta.FindStatusCondition(before, c.Type); stood != nil && stood.Status == c.Status && stood.Message == c.Message {
			continue
		}
		switch {
		case c.Type == v1alpha1.ConditionDeleting:
			all = append(all, v1alpha1.InUseEvent(facts.users))
		case c.Type == v1alpha1.ConditionAccepted && c.Status == metav1.ConditionFalse:
			all = append(all, v1alpha1.NetworkRefusedEvent(c.Reason, c.Message))
		}
	}
	return all
}

// concerned are the attachments whose status may have something else to say
// now: those that are refused, or wait, and those that have not said yet that
// they are accepted.
func concerned(network *v1alpha1.L2Network, facts networkFacts, underlayMTU int32) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, a := range facts.refused {
		keys = append(keys, client.ObjectKeyFromObject(a))
	}
	for _, a := range facts.reserving {
		if !meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionAccepted) {
			keys = append(keys, client.ObjectKeyFromObject(a))
		}
	}
	for _, a := range facts.accepted {
		stands, want := ownStatus(a, false), portStatus(network, a, underlayMTU)
		settled := equality.Semantic.DeepEqual(stands.Network, want.Network) && stands.PortName == want.PortName && stands.MTU == want.MTU
		names := a.NetworkKey() == client.ObjectKeyFromObject(network) // another's refusal may have passed
		if !settled || !names || !meta.IsStatusConditionTrue(stands.Conditions, v1alpha1.ConditionAccepted) {
			keys = append(keys, client.ObjectKeyFromObject(a))
		}
	}
	return keys
}
