// Package multus is what Multus reads and writes of ours: the
// NetworkAttachmentDefinitions that have it call our CNI plugin, and the entries
// of pods' annotation network-status (Network Plumbing Working Group,
// Multi-Network Spec v1.3, sections 4 and 5). It is pure.
package multus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// PodNetworks is the definition whose one ADD wires all interfaces of a pod
// that carries our annotation.
var PodNetworks = types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.PodNetworksNAD}

// PodNetworksDefinition is what PodNetworks names.
func PodNetworksDefinition() *nadv1.NetworkAttachmentDefinition {
	d := definition(PodNetworks)
	d.Spec.Config = fmt.Sprintf(`{"cniVersion":"1.0.0","name":%q,"type":%q}`, PodNetworks.Name, v1alpha1.CNIType)
	return d
}

// NetworkDefinition is the definition whose ADD wires the one interface of a pod
// on the network.
func NetworkDefinition(network *v1alpha1.L2Network) *nadv1.NetworkAttachmentDefinition {
	yes := true
	d := definition(network.Key())
	d.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "L2Network", Name: network.Name, UID: network.UID, Controller: &yes,
	}}
	d.Spec.Config = fmt.Sprintf(`{"cniVersion":"1.0.0","name":%q,"type":%q,"network":{"namespace":%q,"name":%q}}`,
		configName(network.Name), v1alpha1.CNIType, network.Namespace, network.Name)
	return d
}

// maxConfigName is how long a config's name may be, in bytes. libcni keeps each
// result in a file NAME-CONTAINER-INTERFACE (libcni, cacheAdd): the kernel takes
// file names of 255 bytes, runtimes' containers have 64, interfaces up to 15.
const maxConfigName = 255 - len("-") - 64 - len("-") - 15

// configName is the name of the network's config: the network's own, or as much
// of it as there is room for, and a hash that tells it from others.
func configName(network string) string {
	if len(network) <= maxConfigName {
		return network
	}
	sum := sha256.Sum256([]byte(network))
	hash := hex.EncodeToString(sum[:8])
	return network[:maxConfigName-len("-")-len(hash)] + "-" + hash
}

func definition(key types.NamespacedName) *nadv1.NetworkAttachmentDefinition {
	return &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{
		Namespace: key.Namespace, Name: key.Name, Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
	}}
}

// Keeps says whether the definition is one that the controller keeps: by its
// label, or by its owner, which stays when a user takes the label away.
func Keeps(d *nadv1.NetworkAttachmentDefinition) bool {
	if d.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy {
		return true
	}
	owner := metav1.GetControllerOf(d)
	return owner != nil && owner.APIVersion == v1alpha1.GroupVersion.String() && owner.Kind == "L2Network" && owner.Name == d.Name
}

// Restore gives a definition that the controller keeps what is wanted of it,
// and leaves all else that it has. It says whether anything differed.
func Restore(d, want *nadv1.NetworkAttachmentDefinition) bool {
	orphan := metav1.GetControllerOf(d) == nil && len(want.OwnerReferences) > 0
	if d.Spec.Config == want.Spec.Config && d.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy && !orphan {
		return false
	}
	d.Spec.Config = want.Spec.Config
	metav1.SetMetaDataLabel(&d.ObjectMeta, v1alpha1.ManagedByLabel, v1alpha1.ManagedBy)
	if orphan {
		d.OwnerReferences = append(d.OwnerReferences, want.OwnerReferences...)
	}
	return true
}
