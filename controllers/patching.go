package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// The kinds that are patched without their answer being read.
var (
	networkKind    = v1alpha1.GroupVersion.WithKind("L2Network")
	attachmentKind = v1alpha1.GroupVersion.WithKind("L2Attachment")
	edgeKind       = v1alpha1.GroupVersion.WithKind("L2Edge")
)

// metadataOf is the object as it is patched where nobody reads the API's answer:
// that is its metadata then, in protobuf, which costs both sides less than the
// object in JSON.
func metadataOf(kind schema.GroupVersionKind, o client.Object) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(kind)
	m.SetNamespace(o.GetNamespace())
	m.SetName(o.GetName())
	return m
}

// setFinalizers writes a network's finalizers, if the network is what was read.
func setFinalizers(ctx context.Context, c client.Client, network *v1alpha1.L2Network) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"finalizers": network.Finalizers, "resourceVersion": network.ResourceVersion,
	}})
	if err != nil {
		return fmt.Errorf("marshal finalizers: %w", err)
	}
	return c.Patch(ctx, metadataOf(networkKind, network), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldOwner))
}

// replaceStatus writes the status of an object whose status is the controller's alone,
// as a whole: to find out what differs would cost more than to send it.
func replaceStatus(ctx context.Context, c client.Client, kind schema.GroupVersionKind, o client.Object, status any) error {
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/status", "value": status}})
	if err != nil {
		return fmt.Errorf("marshal status: %w", err)
	}
	return c.Status().Patch(ctx, metadataOf(kind, o), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(fieldOwner))
}

// sendStatus applies the controller's part of an attachment's status, if that is
// still the attachment of its UID, and of its version where one is given.
func sendStatus(ctx context.Context, c client.Client, a *v1alpha1.L2Attachment, version string, status v1alpha1.L2AttachmentStatus) error {
	metadata := map[string]any{"namespace": a.Namespace, "name": a.Name, "uid": a.UID}
	if version != "" {
		metadata["resourceVersion"] = version
	}
	apply, err := json.Marshal(map[string]any{
		"apiVersion": attachmentKind.GroupVersion().String(), "kind": attachmentKind.Kind, "metadata": metadata, "status": status,
	})
	if err != nil {
		return fmt.Errorf("marshal status: %w", err)
	}
	return c.Status().Patch(ctx, metadataOf(attachmentKind, a), client.RawPatch(types.ApplyPatchType, apply), client.FieldOwner(fieldOwner), client.ForceOwnership)
}
