package controllers

import (
	"context"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/peers"
)

// peerNetworks are OVN-Kubernetes' own networks beside ours, nil on other fabrics.
type peerNetworks struct {
	*peers.Index
	reads reads
	// unread is how many of their kinds were not read yet, though they are served.
	unread atomic.Int32
}

func newPeerNetworks(r reads) *peerNetworks {
	p := &peerNetworks{Index: peers.NewIndex(), reads: r}
	p.unread.Store(int32(len(p.kinds())))
	return p
}

// peerFacts are what one of our networks meets.
type peerFacts struct {
	peers.Found
	// unknown says that not all was read yet: what was found before a restart stays.
	unknown bool
}

func (p *peerNetworks) compare(ctx context.Context, network *v1alpha1.L2Network) peerFacts {
	if p == nil {
		return peerFacts{}
	}
	unknown := p.unread.Load() > 0 // asked first, so that what is read meanwhile is found
	return peerFacts{p.Compare(network, namespacesAsked{ctx, &p.reads}), unknown}
}

func (p *peerNetworks) forget(key types.NamespacedName) {
	if p != nil {
		p.Forget(key)
	}
}

// settled notes that a kind was read, or is not served. After the last one, networks
// that have a condition from before are looked at again: no event shows what went while
// no controller ran.
func (p *peerNetworks) settled(ctx context.Context, statuses *wakeups) {
	if p.unread.Add(-1) > 0 {
		return
	}
	networks := &v1alpha1.L2NetworkList{}
	if err := p.reads.cached.List(ctx, networks, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "List networks")
		return
	}
	for i := range networks.Items {
		if n := &networks.Items[i]; saysPeers(n.Status.Conditions) {
			statuses.wake(n.Key())
		}
	}
}

// saysPeers says whether a network has a condition that only peers give it.
func saysPeers(conditions []metav1.Condition) bool {
	return meta.FindStatusCondition(conditions, v1alpha1.ConditionSameName) != nil || saysPeersOverlap(conditions)
}

func saysPeersOverlap(conditions []metav1.Condition) bool {
	overlaps := meta.FindStatusCondition(conditions, v1alpha1.ConditionOverlaps)
	return overlaps != nil && overlaps.Reason == v1alpha1.ReasonOverlapsPeers
}

// namespacesAsked answers from the cache. A namespace that can't be read there has no
// labels: its event brings the networks back.
type namespacesAsked struct {
	ctx   context.Context // of the one call that it is made for
	reads *reads
}

// Lets implements peers.Namespaces.
func (n namespacesAsked) Lets(network *v1alpha1.L2Network, namespace string) bool {
	if network.Spec.AllowedNamespaces.From != v1alpha1.NamespacesFromSelector {
		return admission.Lets(network, nil)
	}
	return admission.Lets(network, n.Labels(namespace))
}

// Labels implements peers.Namespaces.
func (n namespacesAsked) Labels(namespace string) labels.Set {
	found, err := n.reads.namespace(n.ctx, namespace)
	if err != nil {
		return nil
	}
	return found.Labels
}

// selectorOf is which namespaces a ClusterUserDefinedNetwork selects: none where that
// can't be read.
func selectorOf(o *unstructured.Unstructured) labels.Selector {
	raw, _, err := unstructured.NestedMap(o.Object, selectorPath...)
	if err != nil {
		return labels.Nothing()
	}
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return labels.Nothing()
	}
	selects, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return labels.Nothing()
	}
	return selects
}
