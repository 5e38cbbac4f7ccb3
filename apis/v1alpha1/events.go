package v1alpha1

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Reasons of events that are no condition's reason. docs/reasons.md says what
// each means.
const (
	ReasonInvalidNetworks = "InvalidNetworks"
	ReasonHostNetwork     = "HostNetwork"
	ReasonDefinitionTaken = "DefinitionTaken"
	ReasonUnderlayMTU     = "UnderlayMTU"
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
	return warning(ReasonInvalidNetworks, "Attach", err.Error())
}

// HostNetworkEvent is for a pod that asks for networks while it uses the
// node's own.
func HostNetworkEvent() Event {
	return warning(ReasonHostNetwork, "Attach",
		"the pod uses the node's network (hostNetwork: true) and gets no interface on any L2Network; remove hostNetwork or the annotation")
}

// RefusedEvent tells on a pod that one of its attachments is refused, or waits.
func RefusedEvent(network types.NamespacedName, reason, message string) Event {
	return warning(reason, "Attach", fmt.Sprintf("network %q: %s", network, message))
}

// Reasons of events about what a pod asks for.
const (
	ReasonObstructed      = "AttachmentObstructed"
	ReasonCreationRefused = "CreationRefused"
	ReasonMainNetwork     = "MainNetwork"
	ReasonOtherPlugin     = "WiredByOtherPlugin"
)

// AttachmentObstructedEvent tells on a pod what has the name of an attachment
// that its annotation asks for.
func AttachmentObstructedEvent(network types.NamespacedName, obstacle string) Event {
	return warning(ReasonObstructed, "Attach", fmt.Sprintf("network %q: %s", network, obstacle))
}

// CreationRefusedEvent tells on a pod, or an L2Network, that the API did not
// take what the controller makes for it, in the API's own words.
func CreationRefusedEvent(kind string, err error) Event {
	return warning(ReasonCreationRefused, "Create", fmt.Sprintf("the API refuses this object's %s, which is tried again within 30 s: %v", kind, err))
}

// MainNetworkEvent tells on a pod that an L2Network can't be its main network.
func MainNetworkEvent(annotation string, definition types.NamespacedName, why string) Event {
	return warning(ReasonMainNetwork, "Attach", fmt.Sprintf("annotation %s names %q: %s", annotation, definition, why))
}

// OtherPluginEvent tells on a pod that an interface of an entry is another
// plugin's work, which was called before the NetworkAttachmentDefinition became
// l2sm's.
func OtherPluginEvent(definition types.NamespacedName, iface string) Event {
	return warning(ReasonOtherPlugin, "Attach", fmt.Sprintf(
		"another CNI plugin has wired interface %s for NetworkAttachmentDefinition %q, which is l2sm's by now: the pod is not attached to that L2Network; delete the pod, and the next one is",
		iface, definition))
}

// LearningStoppedEvent tells on a pod what condition Learning says.
func LearningStoppedEvent(network types.NamespacedName, message string) Event {
	return warning(ReasonTooManyMACs, "Learn", fmt.Sprintf("network %q: %s", network, message))
}

// InUseEvent is for an L2Network that is deleted while attachments exist.
func InUseEvent(attachments []string) Event {
	return warning(ReasonInUse, "Delete", InUseMessage(attachments))
}

// NetworkRefusedEvent is for an L2Network whose spec can't be used.
func NetworkRefusedEvent(reason, message string) Event {
	return warning(reason, "Accept", message)
}

// NetworkWithoutKeyEvent is for an L2Network without a tunnel key that it may use.
func NetworkWithoutKeyEvent(reason, message string) Event {
	return warning(reason, "Program", message)
}

// NetworkOverlapsEvent is for an L2Network with addresses that the cluster has
// too.
func NetworkOverlapsEvent(reason, message string) Event {
	return warning(reason, "Check", message)
}

// NetworkSameNameEvent is for an L2Network whose name a network of OVN-Kubernetes has
// too.
func NetworkSameNameEvent(message string) Event {
	return warning(ReasonSameName, "Check", message)
}

// DefinitionTakenEvent tells on an L2Network that a
// NetworkAttachmentDefinition of its name exists that is not ours.
func DefinitionTakenEvent(network types.NamespacedName) Event {
	return warning(ReasonDefinitionTaken, "Define", fmt.Sprintf(
		"a NetworkAttachmentDefinition %q exists that l2sm did not make, and it is left alone: pods reach this network by annotation %s, not by the Multus annotation",
		network, NetworksAnnotation))
}

// NodeNotReadyEvent tells on a pod what keeps its node from attaching it.
func NodeNotReadyEvent(network types.NamespacedName, node metav1.Condition) Event {
	return warning(ReasonNodeNotReady, "Attach", fmt.Sprintf("network %q: %s", network, node.Message))
}

// UnderlayMTUEvent is for a Node whose tunnel interface carries less than
// the cluster's setting promises.
func UnderlayMTUEvent(iface string, has, want int) Event {
	return warning(ReasonUnderlayMTU, "Check", underlayMTU(iface, has, want))
}

func underlayMTU(iface string, has, want int) string {
	return fmt.Sprintf(
		"tunnel interface %s has MTU %d but UNDERLAY_MTU is %d: large frames between nodes are lost; raise the interface's MTU or lower the setting", iface, has, want)
}
