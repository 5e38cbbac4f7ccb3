package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// L2Nodes caches where the nodes' tunnels start, of all nodes: a name and a few
// addresses each. What it returns is shared: it must not be changed.
type L2Nodes struct{ nodes cache.SharedIndexInformer }

// L2Nodes makes the cache. It fills once Run runs.
func (c *Client) L2Nodes() (*L2Nodes, error) {
	nodes, err := selected(c.l2sm, "l2nodes", "", &v1alpha1.L2Node{}, fields.Everything(), stripTunnels, cache.Indexers{})
	return &L2Nodes{nodes}, err
}

// OnNode has f called with each node that comes, changes or goes: see [Node.OnPod].
func (n *L2Nodes) OnNode(f func(before, after *v1alpha1.L2Node)) error { return follow(n.nodes, f) }

// Run keeps the cache until ctx ends. It calls filled once it holds all there is.
func (n *L2Nodes) Run(ctx context.Context, filled func()) { keep(ctx, filled, n.nodes) }

// L2Node is nil where there is none of the name.
func (n *L2Nodes) L2Node(name string) *v1alpha1.L2Node {
	object, _, _ := n.nodes.GetStore().GetByKey(name)
	return as[v1alpha1.L2Node](object)
}

// stripTunnels keeps of an L2Node its name in OVN and its tunnels' addresses.
func stripTunnels(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Node)
	if !ok {
		return object, nil
	}
	kept := &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion}}
	kept.Status.Chassis, kept.Status.TunnelAddresses = n.Status.Chassis, n.Status.TunnelAddresses
	return kept, nil
}
