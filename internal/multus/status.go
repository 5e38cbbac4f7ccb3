package multus

import (
	"cmp"
	"net/netip"
	"reflect"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// MergeStatus replaces our entries of a pod's network-status by those that are
// ready, in the place of the first of them, and keeps the others. It is nil where
// nothing differs. The main network's entry is never ours.
func MergeStatus(stands, ready []nadv1.NetworkStatus, ours func(nadv1.NetworkStatus) bool) []nadv1.NetworkStatus {
	merged := make([]nadv1.NetworkStatus, 0, len(stands)+len(ready))
	placed := false
	for _, s := range stands {
		if s.Default || !ours(s) {
			merged = append(merged, s)
			continue
		}
		if !placed {
			merged = append(merged, ready...)
			placed = true
		}
	}
	if !placed {
		merged = append(merged, ready...)
	}
	if reflect.DeepEqual(merged, stands) {
		return nil
	}
	return merged
}

// StatusEntry is an attachment's entry in its pod's network-status, if its
// interface is wired.
func StatusEntry(a *v1alpha1.L2Attachment) (nadv1.NetworkStatus, bool) {
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

// StatusDefinition is the definition that Multus names in an entry, if it names
// one: the cluster's own network has a plain name.
func StatusDefinition(entry string) (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(entry, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}, ok
}

// CompareInterfaces puts net2 before net10.
func CompareInterfaces(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// hosts are the addresses without their prefix lengths.
func hosts(addresses []string) []string {
	var all []string
	for _, text := range addresses {
		if p, err := netip.ParsePrefix(text); err == nil { // the API admits CIDRs only
			all = append(all, p.Addr().String())
		}
	}
	return all
}
