package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// nodeWorkload is the DaemonSet that runs OVN on nodes. Its pods have the label
// own-certificate since a node has one.
const (
	nodeWorkload  = "ovn-node"
	withoutOwnTLS = "app.kubernetes.io/name=" + nodeWorkload + ",!l2sm.io/own-certificate"
)

// shared is the authority of v0.1.0 while a pod of that version runs on a node: an
// upgrade replaces them one after the other, and until the last is gone it may be
// taken back. Nothing is remembered, so the authority is trusted again if such a pod comes
// back.
func (r *NodeAuthorityReconciler) shared(ctx context.Context) (string, error) {
	authority := r.Shared()
	if authority == "" {
		return "", nil
	}
	former, err := labels.Parse(withoutOwnTLS)
	if err != nil {
		return "", fmt.Errorf("parse selector %q: %w", withoutOwnTLS, err)
	}
	pods := &corev1.PodList{}
	err = r.Live.List(ctx, pods, client.InNamespace(v1alpha1.SystemNamespace), client.MatchingLabelsSelector{Selector: former}, client.Limit(1))
	if err != nil {
		return "", fmt.Errorf("list pods of v0.1.0: %w", err)
	}
	if len(pods.Items) == 0 {
		return "", nil
	}
	log.FromContext(ctx).Info("The shared certificate of v0.1.0 is trusted until its last pod is gone", "Pod", client.ObjectKeyFromObject(&pods.Items[0]))
	return authority, nil
}

// nodePods are the events of such pods, by what the cache keeps of pods.
func nodePods() predicate.Predicate {
	isNodes := predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetNamespace() == v1alpha1.SystemNamespace && strings.HasPrefix(o.GetName(), nodeWorkload+"-")
	})
	return predicate.And(isNodes, predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }})
}
