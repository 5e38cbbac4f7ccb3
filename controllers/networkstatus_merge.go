package controllers

import (
	"cmp"
	"reflect"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// mergeNetworkStatus replaces our entries by what is ready, in the place of the
// first of them, and keeps the others. It is nil where nothing differs.
func mergeNetworkStatus(stands []nadv1.NetworkStatus, ours ourStatus) []nadv1.NetworkStatus {
	merged := make([]nadv1.NetworkStatus, 0, len(stands)+len(ours.ready))
	placed := false
	for _, s := range stands {
		if s.Default || !ours.names[s.Name] {
			merged = append(merged, s)
			continue
		}
		if !placed {
			merged = append(merged, ours.ready...)
			placed = true
		}
	}
	if !placed {
		merged = append(merged, ours.ready...)
	}
	if reflect.DeepEqual(merged, stands) {
		return nil
	}
	return merged
}

// attachmentStatus is an attachment's entry, if its interface is wired.
func attachmentStatus(a *v1alpha1.L2Attachment) (nadv1.NetworkStatus, bool) {
	if !meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
		return nadv1.NetworkStatus{}, false
	}
	network, has := a.PortNetwork()
	if !has {
		network = a.NetworkKey() // the controller says it after the node
	}
	return nadv1.NetworkStatus{
		Name:      network.String(),
		Interface: a.Spec.Interface,
		IPs:       hosts(a.Spec.Addresses),
		Mac:       a.Spec.MACAddress,
		Mtu:       int(a.Status.MTU),
	}, true
}

// definitionOf is the definition that Multus names in an entry, if it names
// one: the cluster's own network has a plain name.
func definitionOf(entry string) (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(entry, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}, ok
}

// compareInterfaces puts net2 before net10.
func compareInterfaces(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
