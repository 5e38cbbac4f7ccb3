package controllers

import (
	"context"
	"fmt"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/multus"
)

// Fields that the cache is indexed by.
const (
	podIndex        = "spec.podName" // L2Attachments by their pod
	networkIndex    = "network"      // L2Attachments by the namespace/name of the networks that they name, and are on
	definitionIndex = "multus"       // Pods by the NetworkAttachmentDefinitions that they name
)

// CacheOptions keep of the cluster's pods and nodes what the controllers read,
// and not the rest: there are many.
func CacheOptions() cache.Options {
	shared := true
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Transform: stripPod, UnsafeDisableDeepCopy: &shared},
			&corev1.Node{}: {Transform: stripNode, UnsafeDisableDeepCopy: &shared},
		},
	}
}

func stripPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	annotations := map[string]string{}
	for _, key := range podAnnotations {
		if value, has := pod.Annotations[key]; has {
			annotations[key] = value
		}
	}
	stripped := &corev1.Pod{TypeMeta: pod.TypeMeta}
	stripped.Namespace, stripped.Name, stripped.UID = pod.Namespace, pod.Name, pod.UID
	stripped.ResourceVersion = pod.ResourceVersion
	stripped.DeletionTimestamp = pod.DeletionTimestamp
	stripped.Annotations = annotations
	stripped.Spec.NodeName = pod.Spec.NodeName
	stripped.Spec.HostNetwork = pod.Spec.HostNetwork
	stripped.Status.Phase = pod.Status.Phase
	return stripped, nil
}

func stripNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	stripped := &corev1.Node{TypeMeta: node.TypeMeta}
	stripped.Name, stripped.UID, stripped.ResourceVersion = node.Name, node.UID, node.ResourceVersion
	stripped.Spec.PodCIDRs = node.Spec.PodCIDRs[:min(maxNodeRanges, len(node.Spec.PodCIDRs))]
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && len(stripped.Status.Addresses) < maxNodeRanges {
			stripped.Status.Addresses = append(stripped.Status.Addresses, a)
		}
	}
	return stripped, nil
}

// podAnnotations are those that the controllers read.
var podAnnotations = slices.Concat(requestAnnotations, []string{nadv1.NetworkStatusAnnot})

// requestAnnotations are those that pods ask by.
var requestAnnotations = []string{v1alpha1.NetworksAnnotation, v1alpha1.L2SMNetworksAnnotation, nadv1.NetworkAttachmentAnnot, multus.MainNetworkAnnotation}

func indexFields(ctx context.Context, indexer client.FieldIndexer) error {
	indexes := []struct {
		object client.Object
		field  string
		values client.IndexerFunc
	}{
		{&v1alpha1.L2Attachment{}, podIndex, func(o client.Object) []string {
			return []string{o.(*v1alpha1.L2Attachment).Spec.PodName}
		}},
		{&v1alpha1.L2Attachment{}, networkIndex, func(o client.Object) []string {
			var names []string
			for _, network := range o.(*v1alpha1.L2Attachment).Networks() {
				names = append(names, network.String())
			}
			return names
		}},
		{&corev1.Pod{}, definitionIndex, func(o client.Object) []string {
			return multusNetworks(o.(*corev1.Pod))
		}},
	}
	for _, i := range indexes {
		if err := indexer.IndexField(ctx, i.object, i.field, i.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.object, i.field, err)
		}
	}
	return nil
}

// multusNetworks are the definitions that a pod's annotations for Multus name.
func multusNetworks(pod *corev1.Pod) []string {
	var names []string
	if main, is := multus.MainNetwork(pod.Annotations[multus.MainNetworkAnnotation]); is {
		names = append(names, main.String())
	}
	requests, err := attach.Parse(pod)
	if err != nil {
		return names
	}
	for _, request := range requests.Multus {
		names = append(names, request.Network.String())
	}
	return names
}
