package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
)

// keptL2Node is what the cache keeps of an L2Node: whether it is Ready, and why
// not, and where its tunnels start.
type keptL2Node struct {
	keptMeta
	ready   []keptCondition
	tunnels []string
}

// keepL2Node is the transform of the L2Nodes' informer.
func keepL2Node(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Node)
	if !ok {
		return object, nil // kept already, or a tombstone of the informer
	}
	kept := &keptL2Node{keptMeta: metaOf(&n.ObjectMeta)}
	kept.tunnels = slices.Clone(n.Status.TunnelAddresses[:min(maxNodeRanges, len(n.Status.TunnelAddresses))])
	if ready := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		kept.ready = conditionsOf([]metav1.Condition{*ready})
	}
	return kept, nil
}

// Expand implements compact.Object.
func (k *keptL2Node) Expand() runtime.Object {
	return &v1alpha1.L2Node{ObjectMeta: k.expanded(), Status: v1alpha1.L2NodeStatus{Conditions: expandedConditions(k.ready), TunnelAddresses: k.tunnels}}
}

var _ compact.Object = &keptL2Node{}
