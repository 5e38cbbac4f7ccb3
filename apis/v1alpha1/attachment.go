package v1alpha1

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// portPrefix begins the name of every logical switch port of ours.
const portPrefix = "l2sm/"

// Key is the attachment's namespace and name.
func (a *L2Attachment) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: a.Namespace, Name: a.Name}
}

// PodKey is the namespace and name of the attachment's pod.
func (a *L2Attachment) PodKey() types.NamespacedName {
	return types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.PodName}
}

// NetworkKey is the namespace and name of the attachment's network.
func (a *L2Attachment) NetworkKey() types.NamespacedName {
	if a.Spec.Network.Namespace == "" {
		return types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.Network.Name}
	}
	return types.NamespacedName{Namespace: a.Spec.Network.Namespace, Name: a.Spec.Network.Name}
}

// PortNetwork is the namespace and name of the network that the attachment's
// port is on, and whether it has a port.
func (a *L2Attachment) PortNetwork() (types.NamespacedName, bool) {
	if a.Status.Network == nil {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: a.Status.Network.Namespace, Name: a.Status.Network.Name}, true
}

// Networks are the networks that the attachment names, and that its port is
// on: two while it moves, the one that it names first.
func (a *L2Attachment) Networks() []types.NamespacedName {
	names := a.NetworkKey()
	if on, has := a.PortNetwork(); has && on != names {
		return []types.NamespacedName{names, on}
	}
	return []types.NamespacedName{names}
}

// PortName is the name of the attachment's logical switch port in OVN's
// northbound database, l2sm/<namespace>/<name>. It is also the iface-id of the
// node's Interface row.
func (a *L2Attachment) PortName() string {
	return PortOf(a.Key())
}

// PortOf is PortName of the attachment of that namespace and name.
func PortOf(attachment types.NamespacedName) string { return portPrefix + attachment.String() }

// AttachmentOfPort is the namespace and name of the attachment whose logical
// switch port has the name.
func AttachmentOfPort(name string) (types.NamespacedName, bool) {
	rest, ours := strings.CutPrefix(name, portPrefix)
	namespace, attachment, two := strings.Cut(rest, "/")
	ok := ours && two && namespace != "" && attachment != "" && !strings.Contains(attachment, "/")
	if !ok {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: namespace, Name: attachment}, true
}

// Complete says whether everything is assigned that a node needs to wire the
// attachment.
func (a *L2Attachment) Complete() bool { return a.Spec.MACAddress != "" }

// Bound says whether the attachment belongs to a running life of its pod.
func (a *L2Attachment) Bound() bool { return a.Spec.PodUID != "" && a.Spec.NodeName != "" }
