package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Carried caches which L2Networks a node's edge carries. On a node without one it is
// empty, and hears nothing.
type Carried struct{ networks cache.SharedIndexInformer }

// Carried makes the cache of a node. It fills once Run runs.
func (c *Client) Carried(node string) (*Carried, error) {
	by := fields.OneTermEqualSelector("status.stretch.chassis", node)
	networks, err := selected(c.l2sm, "l2networks", "", &v1alpha1.L2Network{}, by, stripCarried, cache.Indexers{})
	if err != nil {
		return nil, err
	}
	return &Carried{networks}, nil
}

// OnNetwork has f called with the name of a network that the edge carries from now on,
// or no longer. f must return quickly.
func (c *Carried) OnNetwork(f func(network types.NamespacedName, carried bool)) error {
	return follow(c.networks, func(before, after *v1alpha1.L2Network) {
		switch {
		case after == nil:
			f(before.Key(), false)
		case before == nil:
			f(after.Key(), true)
		}
	})
}

// Run keeps the cache until ctx ends, and leaves nothing running. It calls filled once
// it holds all there is.
func (c *Carried) Run(ctx context.Context, filled func()) { keep(ctx, filled, c.networks) }

// Networks are all that the edge carries.
func (c *Carried) Networks() []types.NamespacedName {
	var all []types.NamespacedName
	for _, object := range c.networks.GetStore().List() {
		all = append(all, as[v1alpha1.L2Network](object).Key())
	}
	return all
}

// stripCarried keeps of an L2Network its name: the rest is asked for where it is
// needed.
func stripCarried(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Network)
	if !ok {
		return object, nil
	}
	kept := &v1alpha1.L2Network{}
	kept.Namespace, kept.Name, kept.UID, kept.ResourceVersion = n.Namespace, n.Name, n.UID, n.ResourceVersion
	return kept, nil
}
