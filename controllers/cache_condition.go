package controllers

import (
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// keptCondition is a condition in half of its memory: what conditions say is
// the same for most objects.
type keptCondition struct {
	kind, reason, message unique.Handle[string]
	status                unique.Handle[metav1.ConditionStatus]
	observed              int64
	since                 int64 // in seconds, as the API has it
}

func conditionsOf(conditions []metav1.Condition) []keptCondition {
	if len(conditions) == 0 {
		return nil
	}
	kept := make([]keptCondition, len(conditions))
	for i, c := range conditions {
		kept[i] = keptCondition{
			kind: unique.Make(c.Type), reason: unique.Make(c.Reason), message: unique.Make(c.Message), status: unique.Make(c.Status),
			observed: c.ObservedGeneration, since: c.LastTransitionTime.Unix(),
		}
	}
	return kept
}

func expandedConditions(kept []keptCondition) []metav1.Condition {
	if len(kept) == 0 {
		return nil
	}
	conditions := make([]metav1.Condition, len(kept))
	for i, c := range kept {
		conditions[i] = metav1.Condition{
			Type: c.kind.Value(), Reason: c.reason.Value(), Message: c.message.Value(), Status: c.status.Value(),
			ObservedGeneration: c.observed, LastTransitionTime: metav1.Time{Time: time.Unix(c.since, 0)},
		}
	}
	return conditions
}
