package controllers

import (
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
	"l2sm.io/l2sm/internal/multus"
	"l2sm.io/l2sm/internal/peers"
)

// keptDefinition is what the cache keeps of a NetworkAttachmentDefinition: by
// what it is one of ours, and the config of those; of OVN-Kubernetes', its subnets.
type keptDefinition struct {
	keptMeta
	labels map[string]string
	owners []metav1.OwnerReference
	// asWanted says that config is what the controller writes, and left out.
	asWanted bool
	config   string
}

// keepDefinition is the transform of the definitions' informer.
func keepDefinition(object any) (any, error) {
	d, ok := object.(*nadv1.NetworkAttachmentDefinition)
	if !ok {
		return object, nil // kept already, or a tombstone of the informer
	}
	kept := &keptDefinition{keptMeta: metaOf(&d.ObjectMeta), labels: labelsOf(&d.ObjectMeta), owners: ownersOf(&d.ObjectMeta, d.Name, "")}
	switch {
	case !multus.Keeps(d): // another plugin's: its config is not ours to read, but for what OVN-Kubernetes' says of subnets
		if subnets, theirs := peers.Subnets(d.Spec.Config); theirs {
			kept.config = peers.Brief(subnets)
		}
	case d.Spec.Config == wantedConfig(d.Namespace, d.Name):
		kept.asWanted = true
	default:
		kept.config = d.Spec.Config
	}
	return kept, nil
}

// wantedConfig is the config that the controller writes to the definition.
func wantedConfig(namespace, name string) string {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	if key == multus.PodNetworks {
		return multus.PodNetworksDefinition().Spec.Config
	}
	return multus.NetworkDefinition(&v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}).Spec.Config
}

// Expand implements compact.Object.
func (k *keptDefinition) Expand() runtime.Object {
	d := &nadv1.NetworkAttachmentDefinition{ObjectMeta: k.expanded()}
	d.Labels, d.OwnerReferences, d.Spec.Config = k.labels, k.owners, k.config
	if k.asWanted {
		d.Spec.Config = wantedConfig(d.Namespace, d.Name)
	}
	return d
}

var _ compact.Object = &keptDefinition{}
