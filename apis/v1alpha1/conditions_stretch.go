package v1alpha1

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ConditionStretched says that an L2Network goes on behind all the peers of its
// spec.stretch. It is there only where there is such.
const ConditionStretched = "Stretched"

// Condition types of an L2Peer beside Ready. Each is there only as long as there is
// such a network.
const (
	// ConditionTooManyMACs: MAC addresses that the peer announces are left out.
	ConditionTooManyMACs = "TooManyMACs"
	// ConditionTooManyVTEPs: VTEPs that the peer announces are left out.
	ConditionTooManyVTEPs = "TooManyVTEPs"
	// ConditionAddressConflict: the peer announces what a pod here has.
	ConditionAddressConflict = "AddressConflict"
)

// Reasons of what leads out of the cluster: of condition Stretched, and of L2Edge and
// L2Peer.
const (
	ReasonStretched          = "Stretched"
	ReasonAwaitsPeer         = "AwaitsPeer"
	ReasonNoEdge             = "NoEdge"
	ReasonIDTaken            = "IDTaken"
	ReasonAddressConflict    = "AddressConflict"
	ReasonMTUDiffers         = "MTUDiffers"
	ReasonFabricNotSupported = "FabricNotSupported"
	ReasonNoNode             = "NoNode"
	ReasonAwaitsEdge         = "AwaitsEdge"
	ReasonNoAddress          = "NoAddress"
	ReasonAwaitsKeys         = "AwaitsKeys"
	ReasonEdgesApart         = "EdgesApart"
	ReasonNoSession          = "NoSession"
	ReasonTooManyVTEPs       = "TooManyVTEPs"
	ReasonTookOver           = "TookOver" // of an event
)

// NetworkStretched says behind which peers an L2Network goes on.
func NetworkStretched(id int32, peers []string) metav1.Condition {
	return condition(ConditionStretched, metav1.ConditionTrue, ReasonStretched,
		fmt.Sprintf("id %d goes on behind %s", id, strings.Join(peers, ", ")))
}

// NetworkStretchedBut says that an L2Network goes on behind all of its peers, but for
// some addresses or packets.
func NetworkStretchedBut(reason, message string) metav1.Condition {
	return condition(ConditionStretched, metav1.ConditionTrue, reason, message)
}

// MTUDiffers says that the network has another MTU behind a peer than here.
func MTUDiffers(peer string, there, here int32) metav1.Condition {
	return NetworkStretchedBut(ReasonMTUDiffers, fmt.Sprintf(
		"the network has an MTU of %d bytes behind L2Peer %q, and of %d here: packets of more than %d bytes vanish between the two; set spec.mtu to one value on all sides", there, peer, here, min(there, here)))
}

// NetworkNotStretched says, with one of the reasons above, why an L2Network does not go
// on behind all of its peers.
func NetworkNotStretched(reason, message string) metav1.Condition {
	return condition(ConditionStretched, metav1.ConditionFalse, reason, message)
}

// FabricNotSupported says that no network is stretched on the fabric.
func FabricNotSupported(fabric Fabric) metav1.Condition {
	return NetworkNotStretched(ReasonFabricNotSupported, fmt.Sprintf("networks can't be stretched on fabric %s", fabric))
}

// NoEdge says that there is nothing that carries networks out of the cluster.
func NoEdge(why string) metav1.Condition {
	return NetworkNotStretched(ReasonNoEdge, why)
}

// IDTaken says which network has the id.
func IDTaken(id int32, holder types.NamespacedName) metav1.Condition {
	return NetworkNotStretched(ReasonIDTaken,
		fmt.Sprintf("id %d is L2Network %q's, which had it first; choose another on all sides, or wait until that one is gone", id, holder))
}

// MTUTooLargeToStretch says that the way between edges does not carry the network's
// MTU.
func MTUTooLargeToStretch(has, most int32) metav1.Condition {
	return NetworkNotStretched(ReasonMTUTooLarge,
		fmt.Sprintf("the network's MTU is %d, and between edges at most %d fit (L2Edge %q, spec.mtu and spec.encryption): larger packets would vanish; set spec.mtu of the network, on all sides", has, most, EdgeName))
}

// NetworkNotStretchedEvent is for an L2Network that does not go on as its owner wants.
func NetworkNotStretchedEvent(reason, message string) Event {
	return warning(reason, "Stretch", message)
}

// EdgeReady says which node carries all networks, and which stand by.
func EdgeReady(active string, standbys []string) metav1.Condition {
	message := fmt.Sprintf("node %q carries the networks that are stretched", active)
	if len(standbys) == 0 {
		message += "; no other stands by"
	} else {
		message += "; standing by: " + strings.Join(standbys, ", ")
	}
	return condition(ConditionReady, metav1.ConditionTrue, ReasonReady, message)
}

// EdgeNotReady says why no node carries networks, or no other one could.
func EdgeNotReady(reason, message string) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionFalse, reason, message)
}

// NoEdgeNode says that no node may run an edge.
func NoEdgeNode() metav1.Condition {
	return EdgeNotReady(ReasonNoNode, "no node has the labels of spec.nodeSelector; label one, or change the selector")
}

// AwaitsEdge says that no edge holds the Lease yet.
func AwaitsEdge(nodes []string) metav1.Condition {
	return EdgeNotReady(ReasonAwaitsEdge, fmt.Sprintf("no edge of %s has taken Lease %s/%s yet; does l2sm-edge run there?", strings.Join(nodes, ", "), SystemNamespace, EdgeLease))
}

// NoEdgeAddress says that peers can't be told where the active node is.
func NoEdgeAddress(node string) metav1.Condition {
	return EdgeNotReady(ReasonNoAddress, fmt.Sprintf("node %q has no address: its L2Node shows none yet; set annotation %s of the Node", node, EdgeAddressAnnotation))
}

// AwaitsKeys says that the active edge has not shown the keys of its WireGuard.
func AwaitsKeys(node string) metav1.Condition {
	return EdgeNotReady(ReasonAwaitsKeys, fmt.Sprintf("encryption is WireGuard, and the edge of node %q has no public keys in status.nodes yet: see the log of its pod l2sm-edge, which needs the component manifests/edge-wireguard (Helm: edge.wireGuard)", node))
}

// EdgesApart says that another node's edge can't be seen from the active node's, and why.
func EdgesApart(active, other EdgeNode) metav1.Condition {
	why := fmt.Sprintf("one is an IPv4 address, the other IPv6, and no peer has a tunnel to both: set annotation %s of one of the two to an address of the other's family", EdgeAddressAnnotation)
	if active.Address == other.Address {
		why = fmt.Sprintf("each edge needs its own: correct annotation %s of one of the two", EdgeAddressAnnotation)
	}
	return EdgeNotReady(ReasonEdgesApart, fmt.Sprintf("node %q carries the networks that are stretched, and node %q can't take over: their addresses are %s and %s; %s",
		active.Name, other.Name, active.Address, other.Address, why))
}

// TookOverEvent tells on the L2Edge that another node carries the networks.
func TookOverEvent(node, before string) Event {
	message := fmt.Sprintf("node %q carries the networks that are stretched", node)
	if before != "" {
		message += fmt.Sprintf("; before: node %q", before)
	}
	return Event{Type: corev1.EventTypeNormal, Reason: ReasonTookOver, Action: "TakeOver", Message: bounded(message, maxNote)}
}

// EdgeNotReadyEvent tells on the L2Edge that no node carries networks.
func EdgeNotReadyEvent(reason, message string) Event {
	return warning(reason, "TakeOver", message)
}

// PeerReady says with how many of an L2Peer's endpoints there is a session.
func PeerReady(established, endpoints int) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionTrue, ReasonReady,
		fmt.Sprintf("a session with %d of %s is established", established, count(endpoints, "endpoint")))
}

// PeerNoSession says why there is no session with any of an L2Peer's endpoints.
func PeerNoSession(why string) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionFalse, ReasonNoSession, "no session is established: "+why)
}

// PeerTooManyMACs says on which network an L2Peer announces too many MAC addresses, the
// first of so many.
func PeerTooManyMACs(network types.NamespacedName, refused, most int32, networks int) metav1.Condition {
	return condition(ConditionTooManyMACs, metav1.ConditionTrue, ReasonTooManyMACs,
		fmt.Sprintf("on L2Network %q, of %s, the peer announces more than the %d MAC addresses of spec.maxMACs; left out, with frames to them flooded: %d", network, count(networks, "network"), most, refused))
}

// PeerTooManyVTEPs says on which network a fabric announces more VTEPs than its share, the
// first of so many.
func PeerTooManyVTEPs(network types.NamespacedName, refused int32, networks int) metav1.Condition {
	return condition(ConditionTooManyVTEPs, metav1.ConditionTrue, ReasonTooManyVTEPs,
		fmt.Sprintf("on L2Network %q, of %s, the fabric announces more VTEPs than its share of the 256 that a network may have; left out, so that nothing passes between them and the network: %d; "+
			"have the fabric take the network to fewer switches", network, count(networks, "network"), refused))
}

// PeerAddressConflict says what an L2Peer announces that a pod here has, on the first of
// so many networks.
func PeerAddressConflict(network types.NamespacedName, address string, networks int) metav1.Condition {
	return condition(ConditionAddressConflict, metav1.ConditionTrue, ReasonAddressConflict,
		fmt.Sprintf("on L2Network %q, of %s, the peer announces %s, which a pod here has: the pod here keeps it; the sides' spec.ipam.ranges must be apart", network, count(networks, "network"), address))
}
