package controllers

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// load takes what is on record, the older objects first: of two that have the same
// key on record, as a backup may bring about, the younger one holds none. What is
// being deleted has its key until it is gone.
func (k *tunnelKeys) load(networks []v1alpha1.L2Network, attachments []v1alpha1.L2Attachment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reset()
	ordered := byAge(networks, metadataOfNetwork)
	for _, network := range ordered {
		if recorded := network.Status.TunnelKey; k.valid(recorded) {
			n := k.of(network.Key())
			n.uid = network.UID
			k.adopt(n, recorded)
		}
	}
	if k.direct { // a former version recorded none
		for _, network := range ordered {
			k.assign(k.of(network.Key()), network)
		}
	}
	for i := range networks {
		attachments = append(attachments, *edgeAttachment(&networks[i]))
	}
	for _, a := range byAge(attachments, func(a *v1alpha1.L2Attachment) *metav1.ObjectMeta { return &a.ObjectMeta }) {
		on, has := a.PortNetwork()
		if !has {
			continue
		}
		n := k.of(on)
		if recorded := a.Status.TunnelKey; k.holdPort(n, recorded) {
			p := k.portsOf(a)
			p.held = append(p.held, portKey{n, recorded})
		}
		k.forget(n)
	}
}

func metadataOfNetwork(n *v1alpha1.L2Network) *metav1.ObjectMeta { return &n.ObjectMeta }

func byAge[T any](all []T, metadata func(*T) *metav1.ObjectMeta) []*T {
	sorted := make([]*T, 0, len(all))
	for i := range all {
		sorted = append(sorted, &all[i])
	}
	slices.SortFunc(sorted, func(x, y *T) int {
		a, b := metadata(x), metadata(y)
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID))
	})
	return sorted
}
