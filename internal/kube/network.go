package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Network caches one L2Network, and the L2Attachments whose port is on it, on
// whatever node: two watches, and what a node pays for a network that it has a
// member of. What it returns is shared: it must not be changed.
type Network struct {
	network, attachments cache.SharedIndexInformer
	key                  types.NamespacedName
}

// Network makes the caches of a network. They fill once Run runs.
func (c *Client) Network(key types.NamespacedName) (*Network, error) {
	network, err := selected(c.l2sm, "l2networks", key.Namespace, &v1alpha1.L2Network{}, named(key.Name), stripNetwork, cache.Indexers{})
	if err != nil {
		return nil, err
	}
	attachments, err := selected(c.l2sm, "l2attachments", "", &v1alpha1.L2Attachment{}, onNetwork(key), stripMember, cache.Indexers{})
	if err != nil {
		return nil, err
	}
	return &Network{network: network, attachments: attachments, key: key}, nil
}

func onNetwork(key types.NamespacedName) fields.Selector {
	return fields.SelectorFromSet(fields.Set{"status.network.name": key.Name, "status.network.namespace": key.Namespace})
}

// OnNetwork has f called with the L2Network when it comes, changes or goes: see
// [Node.OnPod].
func (n *Network) OnNetwork(f func(before, after *v1alpha1.L2Network)) error {
	return follow(n.network, f)
}

// OnAttachment is OnNetwork for the L2Attachments. One that moves away goes.
func (n *Network) OnAttachment(f func(before, after *v1alpha1.L2Attachment)) error {
	return follow(n.attachments, f)
}

// Run keeps the caches until ctx ends, and leaves nothing running. It calls filled
// once they hold all there is.
func (n *Network) Run(ctx context.Context, filled func()) {
	keep(ctx, filled, n.network, n.attachments)
}

// L2Network is nil where there is none.
func (n *Network) L2Network() *v1alpha1.L2Network {
	object, _, _ := n.network.GetStore().GetByKey(n.key.String()) // the store of an informer gives no error
	return as[v1alpha1.L2Network](object)
}

// Attachments are all whose port is on the network.
func (n *Network) Attachments() []*v1alpha1.L2Attachment {
	return typed(n.attachments.GetStore().List())
}

// stripNetwork keeps of an L2Network its specs and its status.
func stripNetwork(object any) (any, error) {
	if n, ok := object.(*v1alpha1.L2Network); ok {
		n.ManagedFields, n.Labels, n.Annotations, n.OwnerReferences = nil, nil, nil, nil
	}
	return object, nil
}

// stripMember keeps of an L2Attachment what its port is made of: a network has
// thousands of them.
func stripMember(object any) (any, error) {
	a, ok := object.(*v1alpha1.L2Attachment)
	if !ok {
		return object, nil
	}
	kept := &v1alpha1.L2Attachment{Spec: a.Spec}
	kept.Namespace, kept.Name, kept.UID, kept.ResourceVersion = a.Namespace, a.Name, a.UID, a.ResourceVersion
	kept.DeletionTimestamp = a.DeletionTimestamp
	kept.Status.Network, kept.Status.TunnelKey = a.Status.Network, a.Status.TunnelKey
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionLearning); c != nil {
		kept.Status.Conditions = []metav1.Condition{{Type: c.Type, Status: c.Status}}
	}
	return kept, nil
}
