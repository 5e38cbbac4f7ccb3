package controllers

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// keepL2Peer is the transform of the L2Peers' informer: what they allow, and what they
// say of networks. The edge alone reads who they are, and writes of each session.
func keepL2Peer(object any) (any, error) {
	p, ok := object.(*v1alpha1.L2Peer)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	own := ownOf(&p.ObjectMeta)
	kept := &v1alpha1.L2Peer{ObjectMeta: own.expanded()}
	kept.Spec.VNIs, kept.Spec.Namespaces = p.Spec.VNIs, p.Spec.Namespaces
	if ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		kept.Status.Conditions = []metav1.Condition{*ready}
	}
	for _, n := range p.Status.Networks {
		n.Namespace, n.Name, n.Conflict = one(n.Namespace), one(n.Name), one(n.Conflict)
		kept.Status.Networks = append(kept.Status.Networks, n)
	}
	return kept, nil
}

// sharedLabels are a node's, by any of which the L2Edge may select it.
func sharedLabels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	kept := make(map[string]string, len(labels))
	for key, value := range labels {
		kept[one(key)] = one(value)
	}
	return kept
}

// What stretchIndex has an L2Network by.
const stretchIndexed = "any"

func peerIndexed(peer string) string { return "peer/" + peer }

func idIndexed(id int32) string { return fmt.Sprint("id/", id) }

// byStretch has a network by the spec that is asked for and the one in force, whichever
// is judged next.
func byStretch(object any) ([]string, error) {
	kept, ok := object.(*keptNetwork)
	if !ok {
		return nil, nil
	}
	var all []string
	add := func(values ...string) {
		for _, value := range values {
			if indexed := inAllNamespaces + value; !slices.Contains(all, indexed) {
				all = append(all, indexed)
			}
		}
	}
	for _, spec := range []*v1alpha1.L2NetworkSpec{&kept.spec, kept.status.InForce} {
		if spec == nil || spec.Stretch == nil {
			continue
		}
		add(stretchIndexed, idIndexed(spec.Stretch.ID))
		for _, peer := range spec.Stretch.Peers {
			add(peerIndexed(peer))
		}
	}
	return all, nil
}
