package kube

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Pod reads a pod past the caches. It is nil where there is none.
func (c *Client) Pod(ctx context.Context, key types.NamespacedName) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	err := c.core.Get().Namespace(key.Namespace).Resource("pods").Name(key.Name).Do(ctx).Into(pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get pod %q: %w", key, err)
	}
	return pod, nil
}

// Attachment reads an L2Attachment past the caches. It is nil where there is
// none.
func (c *Client) Attachment(ctx context.Context, key types.NamespacedName) (*v1alpha1.L2Attachment, error) {
	a := &v1alpha1.L2Attachment{}
	err := c.l2sm.Get().Namespace(key.Namespace).Resource("l2attachments").Name(key.Name).Do(ctx).Into(a)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get L2Attachment %q: %w", key, err)
	}
	return a, nil
}

// ApplyCondition writes one condition of an L2Attachment as manager's part of
// its status, by server-side apply. One that is gone, or is another of the name,
// is left alone.
func (c *Client) ApplyCondition(ctx context.Context, a *v1alpha1.L2Attachment, condition metav1.Condition, manager string) error {
	part, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "L2Attachment",
		"metadata":   map[string]any{"namespace": a.Namespace, "name": a.Name, "uid": a.UID},
		"status":     map[string]any{"conditions": []metav1.Condition{condition}},
	})
	if err != nil {
		return fmt.Errorf("encode condition %s: %w", condition.Type, err)
	}
	err = c.l2sm.Patch(types.ApplyPatchType).Namespace(a.Namespace).Resource("l2attachments").Name(a.Name).SubResource("status").
		Param("fieldManager", manager).Param("force", "true").Body(part).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("apply condition %s of L2Attachment %q: %w", condition.Type, a.Namespace+"/"+a.Name, err)
	}
	return nil
}

// CreateEvent writes an event. One that is there already is left as it is.
func (c *Client) CreateEvent(ctx context.Context, event *eventsv1.Event) error {
	err := c.events.Post().Namespace(event.Namespace).Resource("events").Body(event).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create event %q: %w", event.Name, err)
	}
	return nil
}
