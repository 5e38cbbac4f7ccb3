package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
)

type managedFields = metav1.ManagedFieldsEntry

// Members caches the L2Attachments whose port is on a network.
type Members struct{ attachments cache.SharedIndexInformer }

// Members makes the cache of a network. It fills once Run runs.
func (c *Client) Members(network types.NamespacedName) (*Members, error) {
	attachments, err := selected(c.l2sm, "l2attachments", "", &v1alpha1.L2Attachment{}, onNetwork(network), stripMember, cache.Indexers{})
	return &Members{attachments}, err
}

// OnAttachment has f called with each: see [Node.OnPod]. One that moves away goes.
func (m *Members) OnAttachment(f func(before, after *v1alpha1.L2Attachment)) error {
	return follow(m.attachments, f)
}

// Run keeps the cache until ctx ends. It calls filled once it holds all there is.
func (m *Members) Run(ctx context.Context, filled func()) { keep(ctx, filled, m.attachments) }

// Attachments are all.
func (m *Members) Attachments() []*v1alpha1.L2Attachment {
	return typed(m.attachments.GetStore().List())
}

// CreateLease makes the edges' Lease. Where somebody else has made it, IsOvertaken is true
// of the error.
func (c *Client) CreateLease(ctx context.Context, lease *coordinationv1.Lease) error {
	err := c.coordination.Post().Namespace(lease.Namespace).Resource("leases").Body(lease).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("create Lease %q: %w", lease.Name, err)
	}
	return nil
}

// UpdateLease writes it. Somebody else's write in between is an error of which IsOvertaken is
// true.
func (c *Client) UpdateLease(ctx context.Context, lease *coordinationv1.Lease) error {
	err := c.coordination.Put().Namespace(lease.Namespace).Resource("leases").Name(lease.Name).Body(lease).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("update Lease %q: %w", lease.Name, err)
	}
	return nil
}

// IsOvertaken says whether a write failed since somebody else wrote before.
func IsOvertaken(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

// ApplyL2PeerStatus writes an L2Peer's status, by server-side apply. One that is gone,
// or is another of the name, is left alone.
func (c *Client) ApplyL2PeerStatus(ctx context.Context, p *v1alpha1.L2Peer, status v1alpha1.L2PeerStatus, manager string) error {
	part, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "L2Peer",
		"metadata":   map[string]any{"name": p.Name, "uid": p.UID},
		"status":     status,
	})
	if err != nil {
		return fmt.Errorf("encode status of L2Peer %q: %w", p.Name, err)
	}
	err = c.l2sm.Patch(types.ApplyPatchType).Resource("l2peers").Name(p.Name).SubResource("status").
		Param("fieldManager", manager).Param("force", "true").Body(part).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("apply status of L2Peer %q: %w", p.Name, err)
	}
	return nil
}

// ApplyEdgeKeys writes the public keys of a node's edge into the L2Edge's status, by
// server-side apply. Each node's edge is a manager of its own: what one applies replaces
// all that it applied before.
func (c *Client) ApplyEdgeKeys(ctx context.Context, edge *v1alpha1.L2Edge, node string, public []string, manager string) error {
	part, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "L2Edge",
		"metadata":   map[string]any{"name": edge.Name, "uid": edge.UID},
		"status":     map[string]any{"nodes": []map[string]any{{"name": node, "publicKeys": public}}},
	})
	if err != nil {
		return fmt.Errorf("encode status of L2Edge %q: %w", edge.Name, err)
	}
	err = c.l2sm.Patch(types.ApplyPatchType).Resource("l2edges").Name(edge.Name).SubResource("status").
		Param("fieldManager", ofNode(manager, node)).Param("force", "true").Body(part).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("apply public keys of node %q to L2Edge %q: %w", node, edge.Name, err)
	}
	return nil
}

// ofNode is the name of a manager on a node, in the 128 characters that it may have.
func ofNode(manager, node string) string {
	sum := sha256.Sum256([]byte(node))
	return manager + "-" + hex.EncodeToString(sum[:8])
}

// WriteEdgeKeys writes keys into an edge's Secret, and takes away those that are nil: one that
// was read, unless somebody has written it since, or a new one.
func (c *Client) WriteEdgeKeys(ctx context.Context, secret *corev1.Secret, name string, keys map[string][]byte) (*corev1.Secret, error) {
	written := &corev1.Secret{}
	var request *rest.Request
	if secret == nil {
		made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.EdgeNamespace, Name: name}, Type: v1alpha1.WireGuardSecretType, Data: keys}
		request = c.core.Post().Body(made)
	} else {
		change, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"uid": secret.UID, "resourceVersion": secret.ResourceVersion}, "data": keys,
		})
		if err != nil {
			return nil, fmt.Errorf("encode Secret %q: %w", name, err)
		}
		request = c.core.Patch(types.MergePatchType).Name(name).Body(change)
	}
	if err := request.Namespace(v1alpha1.EdgeNamespace).Resource("secrets").Do(ctx).Into(written); err != nil {
		return nil, fmt.Errorf("write keys into Secret %q: %w", name, err)
	}
	return written, nil
}

// ApplyL2Remote writes an L2Remote, which goes with its L2Network.
func (c *Client) ApplyL2Remote(ctx context.Context, r *v1alpha1.L2Remote, manager string) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode L2Remote %q: %w", r.Name, err)
	}
	err = c.l2sm.Patch(types.ApplyPatchType).Namespace(r.Namespace).Resource("l2remotes").Name(r.Name).
		Param("fieldManager", manager).Param("force", "true").Body(body).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("apply L2Remote %q: %w", r.Namespace+"/"+r.Name, err)
	}
	return nil
}

// DeleteL2Remote deletes one, which may be gone.
func (c *Client) DeleteL2Remote(ctx context.Context, key types.NamespacedName) error {
	err := c.l2sm.Delete().Namespace(key.Namespace).Resource("l2remotes").Name(key.Name).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete L2Remote %q: %w", key, err)
	}
	return nil
}
