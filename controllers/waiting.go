package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// waiting are the attachments that their nodes have not wired, by node: those
// that have to say so when the node is not Ready. They are few. Its zero value is
// empty and ready for use.
type waiting struct {
	mu sync.Mutex
	on map[types.NamespacedName]string
	at map[string]map[types.NamespacedName]bool
}

// set notes that an attachment waits for a node; an empty one is for none.
func (w *waiting) set(key types.NamespacedName, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, had := w.on[key]
	if had && was == node || !had && node == "" {
		return
	}
	if had {
		delete(w.on, key)
		delete(w.at[was], key)
		if len(w.at[was]) == 0 {
			delete(w.at, was)
		}
	}
	if node == "" {
		return
	}
	if w.on == nil {
		w.on, w.at = map[types.NamespacedName]string{}, map[string]map[types.NamespacedName]bool{}
	}
	if w.at[node] == nil {
		w.at[node] = map[types.NamespacedName]bool{}
	}
	w.on[key], w.at[node][key] = node, true
}

// requests are for those that wait for the node.
func (w *waiting) requests(_ context.Context, node client.Object) []reconcile.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []reconcile.Request
	for _, key := range slices.Collect(maps.Keys(w.at[node.GetName()])) {
		all = append(all, request(key))
	}
	return all
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2nodes,verbs=get;list;watch

// nodeOf is what is to be said of the attachment's node: nothing where it is wired
// or its node is Ready, or has not reported. The condition is the controller's own:
// Ready is the agent's, which may be away.
func (r *L2AttachmentReconciler) nodeOf(ctx context.Context, a *v1alpha1.L2Attachment) (*metav1.Condition, error) {
	key := client.ObjectKeyFromObject(a)
	if !a.Bound() || meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
		r.waiting.set(key, "")
		return nil, nil
	}
	r.waiting.set(key, a.Spec.NodeName) // before the look: what changes after it wakes the attachment
	node := &v1alpha1.L2Node{}
	err := r.Get(ctx, client.ObjectKey{Name: a.Spec.NodeName}, node, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get L2Node %q: %w", a.Spec.NodeName, err)
	}
	ready := meta.FindStatusCondition(node.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return nil, nil
	}
	said := v1alpha1.AttachmentNodeNotReady(a.Spec.NodeName, *ready)
	return &said, nil
}

// nodeReadyChanges pass L2Nodes that become Ready or not, or for another reason.
var nodeReadyChanges = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		ready := func(o client.Object) metav1.Condition {
			if c := meta.FindStatusCondition(o.(*v1alpha1.L2Node).Status.Conditions, v1alpha1.ConditionReady); c != nil {
				return metav1.Condition{Status: c.Status, Reason: c.Reason, Message: c.Message}
			}
			return metav1.Condition{}
		}
		return ready(e.ObjectOld) != ready(e.ObjectNew)
	},
}
