package admission

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/overlap"
)

// Cluster is what networks are judged by beside their own specs.
type Cluster struct {
	// MaxMTU is the largest that pods may have, in bytes.
	MaxMTU int32
	// Refused are the ranges that a new network may not overlap, as they are now.
	// It is nil where overlaps are not refused, and must not block.
	Refused func() *overlap.Index
}

// judge says whether a network's spec may come into force beside, or in place
// of, the one that is.
func (c Cluster) judge(inForce, network *v1alpha1.L2Network) error {
	if err := Judge(network, c.MaxMTU); err != nil || c.Refused == nil {
		return err
	}
	return Apart(inForce, network, c.Refused())
}

// Apart refuses subnets that overlap the ranges, unless they are in force
// already: what pods use stays when a node joins, and can be changed in all else.
func Apart(inForce, network *v1alpha1.L2Network, ranges *overlap.Index) error {
	if inForce != nil && slices.Equal(subnetsOf(inForce), subnetsOf(network)) {
		return nil
	}
	found := ranges.Find(network)
	if len(found) == 0 {
		return nil
	}
	return &Refusal{Condition: v1alpha1.NetworkOverlapRefused(found[0].Reason(), overlap.Describe(found)), overlaps: true}
}

func subnetsOf(network *v1alpha1.L2Network) []string {
	if network.Spec.IPAM == nil {
		return nil
	}
	return network.Spec.IPAM.Subnets
}

// Reconsider has those of the networks judged again that were refused because
// they overlap the cluster's ranges, after these have changed.
func (l *Ledger) Reconsider(keys ...types.NamespacedName) {
	for _, key := range keys {
		l.mu.Lock()
		n := l.networks[key]
		l.mu.Unlock()
		if n != nil {
			n.reconsider()
		}
	}
}

func (n *network) reconsider() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if refusal, is := AsRefusal(n.refused); is && refusal.overlaps {
		n.generation = notSeen
		n.wake.Networks(n.key)
	}
}
