package v1alpha1

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Event is what a user reads under an object in `kubectl describe`.
type Event struct {
	// Type is corev1.EventTypeNormal or corev1.EventTypeWarning.
	Type string
	// Reason is one CamelCase word.
	Reason string
	// Action is what was done or refused, one CamelCase word
	// (events.k8s.io/v1).
	Action string
	// Message is a sentence for a person, of at most 1,024 bytes.
	Message string
}

func warning(reason, action, message string) Event {
	return Event{Type: corev1.EventTypeWarning, Reason: reason, Action: action, Message: bounded(message, maxNote)}
}

// InvalidNetworksEvent tells on a pod that its annotation can't be read.
func InvalidNetworksEvent(err error) Event {
	return warning("InvalidNetworks", "Attach", err.Error())
}

// HostNetworkEvent is for a pod that asks for networks while it uses the
// node's own.
func HostNetworkEvent() Event {
	return warning("HostNetwork", "Attach",
		"the pod uses the node's network (hostNetwork: true) and gets no interface on any L2Network; remove hostNetwork or the annotation")
}

// RefusedEvent tells on a pod that one of its attachments is refused, or waits.
func RefusedEvent(network types.NamespacedName, reason, message string) Event {
	return warning(reason, "Attach", fmt.Sprintf("network %q: %s", network, message))
}

// InUseEvent is for an L2Network that is deleted while attachments exist.
func InUseEvent(attachments []string) Event {
	return warning(ReasonInUse, "Delete", InUseMessage(attachments))
}

// NetworkRefusedEvent is for an L2Network whose spec can't be used.
func NetworkRefusedEvent(reason, message string) Event {
	return warning(reason, "Accept", message)
}

// DefinitionTakenEvent tells on an L2Network that a
// NetworkAttachmentDefinition of its name exists that is not ours.
func DefinitionTakenEvent(network types.NamespacedName) Event {
	return warning("DefinitionTaken", "Define", fmt.Sprintf(
		"a NetworkAttachmentDefinition %q exists that l2sm did not make, and it is left alone: pods reach this network by annotation %s, not by the Multus annotation",
		network, NetworksAnnotation))
}

// UnderlayMTUEvent is for a Node whose tunnel interface carries less than
// the cluster's setting promises.
func UnderlayMTUEvent(iface string, has, want int) Event {
	return warning("UnderlayMTU", "Check", fmt.Sprintf(
		"tunnel interface %s has MTU %d but UNDERLAY_MTU is %d: large frames between nodes are lost; raise the interface's MTU or lower the setting", iface, has, want))
}
