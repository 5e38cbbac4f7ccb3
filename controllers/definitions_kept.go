package controllers

import (
	"context"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/multus"
)

// keepsDefinition says whether the definition of that name is one that we keep
// for a network. Without Multus in the cluster there is none.
func keepsDefinition(ctx context.Context, reader client.Reader, key types.NamespacedName) (bool, error) {
	d := &nadv1.NetworkAttachmentDefinition{}
	err := reader.Get(ctx, key, d)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get NetworkAttachmentDefinition %q: %w", key, err)
	}
	return multus.Keeps(d) && key != multus.PodNetworks, nil
}

// multusWires are the entries of a pod's Multus annotation that may be ours.
func multusWires(pod *corev1.Pod) map[wire]bool {
	requests, err := attach.Parse(pod)
	if err != nil {
		return nil
	}
	all := map[wire]bool{}
	for _, r := range requests.Multus {
		all[wire{r.Network, r.Interface}] = true
	}
	return all
}

// mainNetwork is the complaint of a pod that would have one of ours for its main
// network, if it would.
func mainNetwork(ctx context.Context, reader client.Reader, pod *corev1.Pod) ([]v1alpha1.Event, error) {
	key, names := multus.MainNetwork(pod.Annotations[multus.MainNetworkAnnotation])
	if !names {
		return nil, nil
	}
	kept, err := keepsDefinition(ctx, reader, key)
	if err != nil || !kept && key != multus.PodNetworks {
		return nil, err
	}
	return []v1alpha1.Event{v1alpha1.MainNetworkEvent(multus.MainNetworkAnnotation, key, multus.NotMain)}, nil
}
