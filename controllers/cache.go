package controllers

import (
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/peers"
)

// CacheOptions keep of the cluster's objects what the controllers read, and not
// the rest: there are many.
func CacheOptions() cache.Options {
	shared := true
	return cache.Options{
		NewInformer:      newInformer,
		DefaultTransform: keepOther,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:            {Transform: keepPod, UnsafeDisableDeepCopy: &shared},
			&corev1.Node{}:           {Transform: stripNode, UnsafeDisableDeepCopy: &shared},
			&v1alpha1.L2Attachment{}: {Transform: keepAttachment},
			&v1alpha1.L2Network{}:    {Transform: keepNetwork},
			&v1alpha1.L2Remote{}:     {Transform: keepRemote, UnsafeDisableDeepCopy: &shared},
			&v1alpha1.L2Node{}:       {Transform: keepL2Node, UnsafeDisableDeepCopy: &shared},
			&v1alpha1.L2Peer{}:       {Transform: keepL2Peer, UnsafeDisableDeepCopy: &shared},
			// Of these, one each, and the requests to one signer.
			&corev1.Secret{}:                            only(identity.AuthorityName),
			&corev1.ConfigMap{}:                         only(identity.TrustName),
			&coordinationv1.Lease{}:                     only(v1alpha1.EdgeLease),
			&certificatesv1.CertificateSigningRequest{}: {Field: fields.OneTermEqualSelector("spec.signerName", identity.Signer)},
		},
	}
}

// only is the object of l2sm's namespace with the name.
func only(name string) cache.ByObject {
	return cache.ByObject{Namespaces: map[string]cache.Config{
		v1alpha1.SystemNamespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", name)},
	}}
}

// keepOther is the transform of all other kinds. One that stands above must be
// there when a manager is made, and definitions may come later.
func keepOther(object any) (any, error) {
	switch o := object.(type) {
	case *nadv1.NetworkAttachmentDefinition:
		return keepDefinition(o)
	case *metav1.PartialObjectMetadata:
		if o.GroupVersionKind() == peers.Namespaced {
			return keepUserDefined(o), nil
		}
	case *unstructured.Unstructured:
		if o.GroupVersionKind() == peers.ClusterWide {
			return keepClusterUserDefined(o), nil
		}
	}
	return cache.TransformStripManagedFields()(object)
}

func stripNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil // a tombstone of the informer
	}
	stripped := &corev1.Node{TypeMeta: node.TypeMeta}
	stripped.Name, stripped.UID, stripped.ResourceVersion = node.Name, node.UID, node.ResourceVersion
	stripped.Labels = sharedLabels(node.Labels)
	if address, has := node.Annotations[v1alpha1.EdgeAddressAnnotation]; has {
		stripped.Annotations = map[string]string{v1alpha1.EdgeAddressAnnotation: address}
	}
	stripped.Spec.PodCIDRs = node.Spec.PodCIDRs[:min(maxNodeRanges, len(node.Spec.PodCIDRs))]
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && len(stripped.Status.Addresses) < maxNodeRanges {
			stripped.Status.Addresses = append(stripped.Status.Addresses, a)
		}
	}
	return stripped, nil
}
