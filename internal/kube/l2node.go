package kube

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// CreateL2Node makes a node's L2Node, which goes with the Node, and returns what
// there is of the name.
func (c *Client) CreateL2Node(ctx context.Context, name string) (*v1alpha1.L2Node, error) {
	owner := &corev1.Node{}
	if err := c.core.Get().Resource("nodes").Name(name).Do(ctx).Into(owner); err != nil {
		return nil, fmt.Errorf("get Node %q: %w", name, err)
	}
	n := &v1alpha1.L2Node{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "L2Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name:            name,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: name, UID: owner.UID}},
		},
	}
	err := c.l2sm.Post().Resource("l2nodes").Body(n).Do(ctx).Into(n)
	if apierrors.IsAlreadyExists(err) {
		err = c.l2sm.Get().Resource("l2nodes").Name(name).Do(ctx).Into(n)
	}
	if err != nil {
		return nil, fmt.Errorf("create L2Node %q: %w", name, err)
	}
	return n, nil
}

// ApplyL2NodeStatus writes manager's part of an L2Node's status, by server-side
// apply. One that is gone, or is another of the name, is left alone.
func (c *Client) ApplyL2NodeStatus(ctx context.Context, n *v1alpha1.L2Node, status v1alpha1.L2NodeStatus, manager string) error {
	part, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "L2Node",
		"metadata":   map[string]any{"name": n.Name, "uid": n.UID},
		"status":     status,
	})
	if err != nil {
		return fmt.Errorf("encode status of L2Node %q: %w", n.Name, err)
	}
	err = c.l2sm.Patch(types.ApplyPatchType).Resource("l2nodes").Name(n.Name).SubResource("status").
		Param("fieldManager", manager).Param("force", "true").Body(part).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("apply status of L2Node %q: %w", n.Name, err)
	}
	return nil
}
