package kube

import (
	"context"
	"errors"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Edge caches what an edge acts on. What it returns is shared: it must not be
// changed.
type Edge struct {
	edge, peers, networks, remotes, lease, secrets cache.SharedIndexInformer
}

// stretched are the L2Networks that go on in other clusters: the others cost an edge
// nothing.
var stretched = fields.OneTermNotEqualSelector("status.stretch.id", "")

// Edge makes the caches of an edge. They fill once Run runs.
func (c *Client) Edge() (*Edge, error) {
	e := &Edge{}
	var err, all error
	e.edge, err = selected(c.l2sm, "l2edges", "", &v1alpha1.L2Edge{}, named(v1alpha1.EdgeName), stripManaged, cache.Indexers{})
	all = errors.Join(all, err)
	e.peers, err = selected(c.l2sm, "l2peers", "", &v1alpha1.L2Peer{}, fields.Everything(), stripManaged, cache.Indexers{})
	all = errors.Join(all, err)
	e.networks, err = selected(c.l2sm, "l2networks", "", &v1alpha1.L2Network{}, stretched, stripStretched, cache.Indexers{})
	all = errors.Join(all, err)
	e.remotes, err = selected(c.l2sm, "l2remotes", "", &v1alpha1.L2Remote{}, fields.Everything(), stripManaged, cache.Indexers{})
	all = errors.Join(all, err)
	e.lease, err = selected(c.coordination, "leases", v1alpha1.SystemNamespace, &coordinationv1.Lease{}, named(v1alpha1.EdgeLease), stripManaged, cache.Indexers{})
	all = errors.Join(all, err)
	e.secrets, err = selected(c.core, "secrets", v1alpha1.EdgeNamespace, &corev1.Secret{}, fields.Everything(), stripManaged, cache.Indexers{})
	return e, errors.Join(all, err)
}

// OnEdge has f called when the L2Edge comes, changes or goes: see [Node.OnPod].
func (e *Edge) OnEdge(f func(before, after *v1alpha1.L2Edge)) error { return follow(e.edge, f) }

// OnPeer is OnEdge for L2Peers.
func (e *Edge) OnPeer(f func(before, after *v1alpha1.L2Peer)) error { return follow(e.peers, f) }

// OnNetwork is OnEdge for the L2Networks that are stretched.
func (e *Edge) OnNetwork(f func(before, after *v1alpha1.L2Network)) error {
	return follow(e.networks, f)
}

// OnRemote is OnEdge for L2Remotes.
func (e *Edge) OnRemote(f func(before, after *v1alpha1.L2Remote)) error { return follow(e.remotes, f) }

// OnLease is OnEdge for the edges' Lease.
func (e *Edge) OnLease(f func(before, after *coordinationv1.Lease)) error { return follow(e.lease, f) }

// OnSecret is OnEdge for edges' Secrets.
func (e *Edge) OnSecret(f func(before, after *corev1.Secret)) error { return follow(e.secrets, f) }

// Run keeps the caches until ctx ends. It calls filled once they hold all there is.
func (e *Edge) Run(ctx context.Context, filled func()) {
	keep(ctx, filled, e.edge, e.peers, e.networks, e.remotes, e.lease, e.secrets)
}

// L2Edge is nil where there is none.
func (e *Edge) L2Edge() *v1alpha1.L2Edge {
	object, _, _ := e.edge.GetStore().GetByKey(v1alpha1.EdgeName) // the store of an informer gives no error
	return as[v1alpha1.L2Edge](object)
}

// L2Peers are all.
func (e *Edge) L2Peers() []*v1alpha1.L2Peer {
	var all []*v1alpha1.L2Peer
	for _, object := range e.peers.GetStore().List() {
		all = append(all, as[v1alpha1.L2Peer](object))
	}
	return all
}

// L2Peer is nil where there is none of the name.
func (e *Edge) L2Peer(name string) *v1alpha1.L2Peer {
	object, _, _ := e.peers.GetStore().GetByKey(name)
	return as[v1alpha1.L2Peer](object)
}

// Remote is nil where there is none of the name.
func (e *Edge) Remote(key types.NamespacedName) *v1alpha1.L2Remote {
	object, _, _ := e.remotes.GetStore().GetByKey(key.String())
	return as[v1alpha1.L2Remote](object)
}

// Remotes are all.
func (e *Edge) Remotes() []*v1alpha1.L2Remote {
	var all []*v1alpha1.L2Remote
	for _, object := range e.remotes.GetStore().List() {
		all = append(all, as[v1alpha1.L2Remote](object))
	}
	return all
}

// Lease is nil where there is none.
func (e *Edge) Lease() *coordinationv1.Lease {
	object, _, _ := e.lease.GetStore().GetByKey(v1alpha1.SystemNamespace + "/" + v1alpha1.EdgeLease)
	return as[coordinationv1.Lease](object)
}

// Secret is one of edges' Secrets, nil where there is none of the name.
func (e *Edge) Secret(name string) *corev1.Secret {
	object, _, _ := e.secrets.GetStore().GetByKey(v1alpha1.EdgeNamespace + "/" + name)
	return as[corev1.Secret](object)
}

// Password is the BGP password in the Secret of that name; empty, where there is none, is not one.
func (e *Edge) Password(name string) string {
	if s := e.Secret(name); s != nil {
		return string(s.Data[v1alpha1.PasswordKey])
	}
	return ""
}

// stripManaged leaves out what the API server keeps for itself.
func stripManaged(object any) (any, error) {
	if o, is := object.(interface{ SetManagedFields([]managedFields) }); is {
		o.SetManagedFields(nil)
	}
	return object, nil
}

// stripStretched keeps of an L2Network where it goes on.
func stripStretched(object any) (any, error) {
	n, ok := object.(*v1alpha1.L2Network)
	if !ok {
		return object, nil
	}
	kept := &v1alpha1.L2Network{}
	kept.Namespace, kept.Name, kept.UID, kept.ResourceVersion = n.Namespace, n.Name, n.UID, n.ResourceVersion
	kept.DeletionTimestamp = n.DeletionTimestamp
	kept.Status.Stretch, kept.Status.MTU = n.Status.Stretch, n.Status.MTU
	return kept, nil
}
