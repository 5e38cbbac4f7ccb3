package controllers

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/topology"
)

// fieldOwner is the controller's name in managedFields. The agent has its own:
// each applies its part of an attachment's status.
const fieldOwner = "l2sm-controller"

// report applies the attachment's status, if it differs, and tells of a refusal
// that is new.
func (r *L2AttachmentReconciler) report(ctx context.Context, s settlement) error {
	if s.refused != nil {
		var err error
		if s.refused, err = r.explain(ctx, s.attachment, s.refused); err != nil {
			return err
		}
	}
	var err error
	if s.node, err = r.nodeOf(ctx, s.attachment); err != nil {
		return err
	}
	tells := s.node != nil && meta.FindStatusCondition(s.attachment.Status.Conditions, v1alpha1.ConditionNodeReady) == nil
	status := attachmentStatus(s, r.placement.maxMTU)
	changed, err := r.applyStatus(ctx, s.attachment, status)
	if err != nil || !changed {
		return err
	}
	if tells && s.pod != nil {
		emit(r.Recorder, s.pod, v1alpha1.NodeNotReadyEvent(s.attachment.NetworkKey(), *s.node))
	}
	if s.learning != nil && s.learning.LastTransitionTime.IsZero() && s.pod != nil {
		emit(r.Recorder, s.pod, v1alpha1.LearningStoppedEvent(s.Network.Key(), s.learning.Message))
	}
	if s.refused == nil {
		return nil
	}
	refusals.WithLabelValues(s.refused.Reason).Inc()
	event := v1alpha1.RefusedEvent(s.attachment.NetworkKey(), s.refused.Reason, status.Conditions[0].Message)
	switch {
	case s.pod != nil:
		emit(r.Recorder, s.pod, event)
	case attach.UserMade(s.attachment):
		emit(r.Recorder, s.attachment, event)
	} // what was made for a pod that is gone goes, too
	return nil
}

// attachmentStatus is the controller's part of the status that an attachment is
// to have. It is pure.
func attachmentStatus(s settlement, maxMTU int32) v1alpha1.L2AttachmentStatus {
	status := placeStatus(s, maxMTU)
	for _, said := range []*metav1.Condition{s.node, s.learning} {
		if said != nil {
			status.Conditions = append(status.Conditions, *said)
		}
	}
	return status
}

// placeStatus is what follows from the attachment's place.
func placeStatus(s settlement, maxMTU int32) v1alpha1.L2AttachmentStatus {
	a := s.attachment
	switch {
	case !s.on():
		return v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{s.refused.Condition}}
	case !a.Bound():
		said := v1alpha1.AttachmentReserved()
		if s.refused != nil {
			said = s.refused.Condition
		}
		return v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{said}, Addresses: joined(a.Spec.Addresses)}
	case s.keying == keyRefused:
		return v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{s.refused.Condition}, Addresses: joined(a.Spec.Addresses)}
	case s.keying == keyAwaited:
		return ownStatus(a, v1alpha1.ConditionAccepted) // all follows in one write, which a node waits for
	case !s.committed:
		// The node needs the MTU before the port is there; the rest follows it.
		status := ownStatus(a, v1alpha1.ConditionAccepted)
		status.MTU, status.Addresses = s.Network.EffectiveMTU(maxMTU), joined(a.Spec.Addresses)
		status.AcceptRouterAdvertisements, status.SendRouterAdvertisements = s.Network.AllowsRole(v1alpha1.RoleRouter), topology.Routes(s.Network, a)
		return status
	}
	status := portStatus(s.Network, a, maxMTU)
	status.TunnelKey = s.key
	switch {
	case s.refused != nil && s.refused.Keeps:
		status.Conditions = []metav1.Condition{v1alpha1.PortUnchanged(s.refused.Condition)}
	case s.refused != nil:
		status.Conditions = []metav1.Condition{v1alpha1.MoveRefused(s.refused.Condition, client.ObjectKeyFromObject(s.Network))}
	}
	return status
}

// portStatus is the controller's part of the status of an attachment that has
// its port on the network.
func portStatus(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, maxMTU int32) v1alpha1.L2AttachmentStatus {
	return v1alpha1.L2AttachmentStatus{
		Conditions: []metav1.Condition{v1alpha1.AttachmentAccepted()},
		Network:    &v1alpha1.NetworkReference{Namespace: network.Namespace, Name: network.Name},
		PortName:   a.PortName(),
		MTU:        network.EffectiveMTU(maxMTU),
		Addresses:  joined(a.Spec.Addresses),

		AcceptRouterAdvertisements: network.AllowsRole(v1alpha1.RoleRouter),
		SendRouterAdvertisements:   topology.Routes(network, a),
	}
}

// joined is a list as a person would write it.
func joined(list []string) string { return strings.Join(list, ", ") }

// ourReady is what the controller says in condition Ready, which belongs to
// the agent: that no pod runs, and, once one does, that its node has not
// reported yet. It goes on saying so until the agent has taken the condition
// over, since what both have applied can't be withdrawn by one.
func ourReady(a *v1alpha1.L2Attachment) []metav1.Condition {
	stands := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case !a.Bound():
		return []metav1.Condition{v1alpha1.AttachmentNoPod(a.Spec.PodName)}
	case stands != nil && (stands.Reason == v1alpha1.ReasonNoPod || stands.Reason == v1alpha1.ReasonAwaitsNode):
		return []metav1.Condition{v1alpha1.AttachmentAwaitsNode(a.Spec.NodeName)}
	default:
		return nil
	}
}

// applyStatus applies the controller's part of an attachment's status, unless
// it stands there already, and says whether it made a difference.
func (r *L2AttachmentReconciler) applyStatus(ctx context.Context, a *v1alpha1.L2Attachment, want v1alpha1.L2AttachmentStatus) (bool, error) {
	ready := ourReady(a)
	want.Conditions = append(want.Conditions, ready...)
	for i, c := range want.Conditions {
		if stands := meta.FindStatusCondition(a.Status.Conditions, c.Type); stands == nil || *stands != c {
			want.Conditions[i] = dated(a.Status.Conditions, c, a.Generation)
		}
	}
	own := []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionNodeReady, v1alpha1.ConditionLearning}
	if len(ready) > 0 {
		own = append(own, v1alpha1.ConditionReady)
	}
	if equality.Semantic.DeepEqual(want, ownStatus(a, own...)) {
		return false, nil
	}
	version := ""
	if len(ready) > 0 {
		version = a.ResourceVersion // the agent may have written meanwhile
	}
	if movesKey(a.Status, want) {
		version = a.ResourceVersion // so that it is known by the next one whether it was written
		r.placement.keys.sending(a)
	}
	err := sendStatus(ctx, r, a, version, want)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("apply status of attachment %q: %w", client.ObjectKeyFromObject(a), err)
	}
	if want.TunnelKey != 0 {
		r.stages.portsCommitted([]types.NamespacedName{a.Key()})
	}
	return true, nil
}

// movesKey says whether another tunnel key, or one of another network, is to be on
// record.
func movesKey(stands, want v1alpha1.L2AttachmentStatus) bool {
	return stands.TunnelKey != want.TunnelKey || !equality.Semantic.DeepEqual(stands.Network, want.Network)
}

// ownStatus is the controller's part of the status that stands, with the
// conditions of those kinds.
func ownStatus(a *v1alpha1.L2Attachment, kinds ...string) v1alpha1.L2AttachmentStatus {
	own := v1alpha1.L2AttachmentStatus{
		Network: a.Status.Network, TunnelKey: a.Status.TunnelKey, PortName: a.Status.PortName, MTU: a.Status.MTU, Addresses: a.Status.Addresses,
		AcceptRouterAdvertisements: a.Status.AcceptRouterAdvertisements,
		SendRouterAdvertisements:   a.Status.SendRouterAdvertisements,
	}
	for _, kind := range kinds {
		if c := meta.FindStatusCondition(a.Status.Conditions, kind); c != nil {
			own.Conditions = append(own.Conditions, *c)
		}
	}
	return own
}

// dated is the condition as it is to stand: seen at the generation, and since
// when it has had its status.
func dated(stand []metav1.Condition, c metav1.Condition, generation int64) metav1.Condition {
	c.ObservedGeneration = generation
	conditions := append([]metav1.Condition(nil), stand...)
	meta.SetStatusCondition(&conditions, c)
	return *meta.FindStatusCondition(conditions, c.Type)
}
