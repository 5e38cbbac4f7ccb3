package admission

import (
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// LeaseNetwork is the network on which a complete attachment has its addresses:
// the one that its port is on or will be on.
func LeaseNetwork(a *v1alpha1.L2Attachment) types.NamespacedName {
	if network, has := a.PortNetwork(); has && a.Bound() {
		return network
	}
	return a.NetworkKey()
}
