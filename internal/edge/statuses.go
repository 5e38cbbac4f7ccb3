package edge

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// statusPace gathers what changes at the same time, and bounds what a peer that comes
// and goes costs.
const statusPace = 200 * time.Millisecond

// +kubebuilder:rbac:groups=l2sm.io,resources=l2edges;l2peers,verbs=get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2peers/status,verbs=patch

// report writes an L2Peer's status, where this edge is the active one: a standby sees
// the same, and may see it later.
func (e *Edge) report(ctx context.Context, name string) (time.Duration, error) {
	p := e.cache.L2Peer(name)
	if p == nil || !e.active() {
		return 0, nil
	}
	status := e.statusOf(p)
	if equality.Semantic.DeepEqual(p.Status, status) {
		return 0, nil
	}
	return 0, e.config.API.ApplyL2PeerStatus(ctx, p, status, manager)
}

// reportAll has the status of every L2Peer looked at. It never blocks.
func (e *Edge) reportAll() {
	for _, p := range e.cache.L2Peers() {
		e.reports.Queue.AddAfter(p.Name, statusPace)
	}
}

// active says whether this edge speaks for its cluster: it has the Lease, or none has.
func (e *Edge) active() bool {
	holder := holderOf(e.cache.Lease())
	return holder == "" || holder == e.config.Node
}

// statusOf is what this edge sees of a peer.
func (e *Edge) statusOf(p *v1alpha1.L2Peer) v1alpha1.L2PeerStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := v1alpha1.L2PeerStatus{Sessions: e.sessionsOf(p), Networks: e.networksOf(p.Name)}
	var crowded, wide, conflicting []v1alpha1.PeerNetwork
	for _, n := range s.Networks {
		s.MACs += n.MACs
		if n.Refused > 0 {
			crowded = append(crowded, n)
		}
		if n.VTEPsRefused > 0 {
			wide = append(wide, n)
		}
		if n.Conflict != "" {
			conflicting = append(conflicting, n)
		}
	}
	s.Networks = s.Networks[:min(len(s.Networks), maxNetworksTold)]
	conditions := []metav1.Condition{readyOf(s.Sessions)}
	if len(crowded) > 0 {
		conditions = append(conditions, v1alpha1.PeerTooManyMACs(keyOf(crowded[0]), crowded[0].Refused, p.Spec.MaxMACs, len(crowded)))
	}
	if len(wide) > 0 {
		conditions = append(conditions, v1alpha1.PeerTooManyVTEPs(keyOf(wide[0]), wide[0].VTEPsRefused, len(wide)))
	}
	if len(conflicting) > 0 {
		conditions = append(conditions, v1alpha1.PeerAddressConflict(keyOf(conflicting[0]), conflicting[0].Conflict, len(conflicting)))
	}
	for _, c := range conditions {
		c.ObservedGeneration = p.Generation
		kept := slices.Clone(p.Status.Conditions) // for the time of the last transition
		meta.SetStatusCondition(&kept, c)
		s.Conditions = append(s.Conditions, *meta.FindStatusCondition(kept, c.Type))
	}
	return s
}

// maxNetworksTold is how many of a peer's networks its status lists.
const maxNetworksTold = 4096

func keyOf(n v1alpha1.PeerNetwork) types.NamespacedName {
	return types.NamespacedName{Namespace: n.Namespace, Name: n.Name}
}

// readyOf says whether a session is up.
func readyOf(sessions []v1alpha1.PeerSession) metav1.Condition {
	up, why := 0, "no endpoint has answered yet"
	for _, s := range sessions {
		if s.Established {
			up++
		} else if s.Message != "" {
			why = s.Address + ": " + s.Message
		}
	}
	if up == 0 {
		return v1alpha1.PeerNoSession(why)
	}
	return v1alpha1.PeerReady(up, len(sessions))
}
