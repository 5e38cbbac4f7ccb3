package controllers

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// newEvents are the events that go with conditions that have turned bad, or
// have something new to say.
func newEvents(before, now []metav1.Condition, users []string) []v1alpha1.Event {
	var all []v1alpha1.Event
	for _, c := range now {
		stood := meta.FindStatusCondition(before, c.Type)
		if stood != nil && stood.Status == c.Status && stood.Reason == c.Reason && stood.Message == c.Message {
			continue
		}
		switch {
		case c.Type == v1alpha1.ConditionDeleting:
			all = append(all, v1alpha1.InUseEvent(users))
		case c.Type == v1alpha1.ConditionAccepted && c.Status == metav1.ConditionFalse:
			all = append(all, v1alpha1.NetworkRefusedEvent(c.Reason, c.Message))
		case c.Type == v1alpha1.ConditionProgrammed && (c.Reason == v1alpha1.ReasonNoTunnelKey || c.Reason == v1alpha1.ReasonTunnelKeyTaken):
			all = append(all, v1alpha1.NetworkWithoutKeyEvent(c.Reason, c.Message))
		case c.Type == v1alpha1.ConditionSameName && stood == nil:
			all = append(all, v1alpha1.NetworkSameNameEvent(c.Message))
		case c.Type == v1alpha1.ConditionStretched && isBad(c) && (stood == nil || stood.Reason != c.Reason):
			// Which of several peers is named is no news, nor that one waits for a first answer.
			all = append(all, v1alpha1.NetworkNotStretchedEvent(c.Reason, c.Message))
		case c.Type == v1alpha1.ConditionOverlaps && (stood == nil || stood.Reason != c.Reason) && !isRefused(now, c.Reason):
			// Which range is named changes with nodes, and is no news.
			all = append(all, v1alpha1.NetworkOverlapsEvent(c.Reason, c.Message))
		}
	}
	return all
}

// isBad says whether a network does not go on, or not for all addresses.
func isBad(stretched metav1.Condition) bool { return stretched.Reason != v1alpha1.ReasonStretched }

// isRefused says whether the event of a refusal tells of the reason already.
func isRefused(now []metav1.Condition, reason string) bool {
	accepted := meta.FindStatusCondition(now, v1alpha1.ConditionAccepted)
	return accepted != nil && accepted.Status == metav1.ConditionFalse && accepted.Reason == reason
}
