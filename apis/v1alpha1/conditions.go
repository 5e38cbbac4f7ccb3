package v1alpha1

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Condition types.
const (
	// ConditionAccepted: the spec is valid and may be acted on. On both kinds.
	ConditionAccepted = "Accepted"
	// ConditionProgrammed: this generation of an L2Network is committed to
	// OVN's northbound database. The READY column.
	ConditionProgrammed = "Programmed"
	// ConditionDeleting: what the deletion of an L2Network waits for.
	ConditionDeleting = "Deleting"
	// ConditionReady: an L2Network is accepted and programmed; an L2Attachment's
	// interface is wired.
	ConditionReady = "Ready"
	// ConditionOverlaps: a subnet of an L2Network is the cluster's too. It is there
	// only as long as it is so.
	ConditionOverlaps = "Overlaps"
	// ConditionSameName: a network of OVN-Kubernetes has an L2Network's name. It is
	// there only as long as it is so.
	ConditionSameName = "SameName"
	// ConditionAttachedLate: pods that ask for an L2Network by l2sm's annotation get
	// their interface once they run, and not as they start. It is there only as
	// long as it is so.
	ConditionAttachedLate = "AttachedLate"
	// ConditionNodeReady: the node of an L2Attachment that is not wired. It is there
	// only as long as the node is not Ready.
	ConditionNodeReady = "NodeReady"
	// ConditionLearning, while it is False: OVN learns no MAC addresses from an
	// L2Attachment's port. It is there only as long as it is so.
	ConditionLearning = "Learning"
)

// Condition reasons.
const (
	ReasonAccepted         = "Accepted"
	ReasonProgrammed       = "Programmed"
	ReasonReady            = "Ready"
	ReasonInvalid          = "Invalid"
	ReasonMTUTooLarge      = "MTUTooLarge"
	ReasonNotAccepted      = "NotAccepted"
	ReasonNorthbound       = "NorthboundUnavailable"
	ReasonInUse            = "InUse"
	ReasonNetworkNotFound  = "NetworkNotFound"
	ReasonNetworkGone      = "NetworkGone"
	ReasonNotAllowed       = "NotAllowed"
	ReasonRoleNotAllowed   = "RoleNotAllowed"
	ReasonLinkFull         = "LinkFull"
	ReasonTooMany          = "TooManyAttachments"
	ReasonTooManyMACs      = "TooManyMACs"
	ReasonAddressTaken     = "AddressTaken"
	ReasonMACTaken         = "MACTaken"
	ReasonOutOfRange       = "AddressOutOfRange"
	ReasonExhausted        = "AddressesExhausted"
	ReasonAddressElsewhere = "AddressElsewhere"
	ReasonForged           = "BindingMismatch"
	ReasonInterfaceTaken   = "InterfaceTaken"
	ReasonNoPod            = "NoPod"
	ReasonAwaitsNode       = "AwaitsNode"
	ReasonPodEnded         = "PodEnded"
	ReasonWiring           = "Wiring"
	ReasonFailed           = "Failed"
	ReasonNoTunnelKey      = "NoTunnelKey"
	ReasonTunnelKeyTaken   = "TunnelKeyTaken"
	ReasonSameName         = "SameName"
)

// Reasons of condition Overlaps, and of a spec that is refused for it.
const (
	ReasonOverlapsServices = "OverlapsServices"
	ReasonOverlapsPods     = "OverlapsPods"
	ReasonOverlapsNodes    = "OverlapsNodes"
	ReasonOverlapsPeers    = "OverlapsOVNKubernetes" // never refused
)

// Reasons of condition AttachedLate.
const (
	ReasonNoMutatingPolicies = "NoMutatingPolicies"
	ReasonPolicyMissing      = "PolicyMissing"
)

// PodNetworksPolicy is the MutatingAdmissionPolicy, and its binding, that has
// Multus attach pods that carry l2sm's annotation as they start.
const PodNetworksPolicy = "l2sm-pod-networks"

// Condition types of an L2Node beside Ready. Each is there only as long as the
// problem is.
const (
	// ConditionRefused: ovn-node does not start on this node.
	ConditionRefused = "Refused"
	// ConditionOVSUnavailable: Open vSwitch, or OVN's bridge in it, is not there.
	ConditionOVSUnavailable = "OpenVSwitchUnavailable"
	// ConditionTunnelError: Open vSwitch can't make tunnels to other nodes.
	ConditionTunnelError = "TunnelError"
	// ConditionNameTaken: two machines say that they are this node.
	ConditionNameTaken = "NameTaken"
	// ConditionUnderlayMTU: the underlay does not carry what is promised.
	ConditionUnderlayMTU = "UnderlayMTU"
	// ConditionNoCertificate: the node gets none for OVN's southbound database.
	ConditionNoCertificate = "NoCertificate"
	// ConditionNRIUnavailable: the container runtime tells of no pods.
	ConditionNRIUnavailable = "NRIUnavailable"
	// ConditionOtherTunnelKey: networks have another tunnel key here than elsewhere.
	ConditionOtherTunnelKey = "OtherTunnelKey"
	// ConditionTunnelPortOpen: pods may send tunnel packets.
	ConditionTunnelPortOpen = "TunnelPortOpen"
)

// Reasons of an L2Node's conditions, beside those that the node's checks give.
const (
	ReasonNodeRefused    = "NodeRefused"
	ReasonOVSUnreachable = "OpenVSwitchUnreachable"
	ReasonNoBridge       = "NoIntegrationBridge"
	ReasonTunnelError    = "TunnelError"
	ReasonNameTaken      = "NameTaken"
	ReasonNoCertificate  = "NoCertificate"
	ReasonNRIUnavailable = "NRIUnavailable"
	ReasonOtherTunnelKey = "OtherTunnelKey"
	ReasonTunnelPortOpen = "TunnelPortOpen"
	ReasonNodeNotReady   = "NodeNotReady"
)

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: bounded(message, maxConditionMessage)}
}

// NetworkAccepted says that an L2Network's spec is valid.
func NetworkAccepted() metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionTrue, ReasonAccepted, "the spec is valid")
}

// NetworkInvalid says what is wrong with an L2Network's spec.
func NetworkInvalid(err error) metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionFalse, ReasonInvalid, err.Error())
}

// MTUTooLarge says that the underlay does not carry the wanted MTU.
func MTUTooLarge(want, most int32) metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionFalse, ReasonMTUTooLarge,
		fmt.Sprintf("mtu %d does not fit the cluster's underlay, which carries at most %d", want, most))
}

// NetworkOverlaps says which addresses of the cluster an L2Network has too.
func NetworkOverlaps(reason, overlaps string) metav1.Condition {
	if reason == ReasonOverlapsPeers {
		return condition(ConditionOverlaps, metav1.ConditionTrue, reason, overlaps+"; a pod on both reaches only one of them there: create one with another subnet")
	}
	return condition(ConditionOverlaps, metav1.ConditionTrue, reason, overlaps+"; pods on this network can't reach the cluster's own there: create the network with another subnet")
}

// NetworkSameName says which network of OVN-Kubernetes has an L2Network's name.
func NetworkSameName(network types.NamespacedName, theirs string) metav1.Condition {
	return condition(ConditionSameName, metav1.ConditionTrue, ReasonSameName,
		fmt.Sprintf("%s of OVN-Kubernetes has this name too, and is another network: both need NetworkAttachmentDefinition %q, which the first one has, "+
			"so pods that name it in Multus' annotation are on that one; create one of the two with another name", theirs, network))
}

// NetworkOverlapRefused says that the cluster's setting refuses what
// NetworkOverlaps warns of.
func NetworkOverlapRefused(reason, overlaps string) metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionFalse, reason, overlaps+"; REFUSE_OVERLAPS refuses that: create the network with another subnet")
}

// NoMutatingPolicies says that the API server can't have the policy that has pods
// attached as they start.
func NoMutatingPolicies() metav1.Condition {
	return condition(ConditionAttachedLate, metav1.ConditionTrue, ReasonNoMutatingPolicies,
		"the API server has no MutatingAdmissionPolicy v1, which comes with Kubernetes 1.36: "+attachedLate)
}

// PolicyMissing says that the policy that has pods attached as they start is not
// there.
func PolicyMissing() metav1.Condition {
	return condition(ConditionAttachedLate, metav1.ConditionTrue, ReasonPolicyMissing,
		fmt.Sprintf("MutatingAdmissionPolicy %s or its binding is missing: %s; apply manifests/policies/mutating", PodNetworksPolicy, attachedLate))
}

const attachedLate = "pods that ask for the network by annotation " + NetworksAnnotation + " alone are attached once they run, but on nodes whose container runtime offers NRI; and those that name it in Multus' annotation as they start"

// Programmed says that this generation is in the northbound database.
func Programmed(ports int) metav1.Condition {
	return condition(ConditionProgrammed, metav1.ConditionTrue, ReasonProgrammed,
		fmt.Sprintf("the logical switch is in OVN's northbound database, with %s", count(ports, "port")))
}

// ProgrammedByNodes says that nodes whose pods are on this network may write it to
// their northbound databases.
func ProgrammedByNodes(key int32) metav1.Condition {
	return condition(ConditionProgrammed, metav1.ConditionTrue, ReasonProgrammed,
		fmt.Sprintf("the network has tunnel key %d, and each node with a pod on it writes the logical switch to its own OVN northbound database", key))
}

// NoTunnelKey says that all of the configured tunnel keys are in use.
func NoTunnelKey(keys string) metav1.Condition {
	return NotProgrammed(ReasonNoTunnelKey,
		fmt.Sprintf("every tunnel key of %s is in use: the network gets the next one that a deleted network leaves; setting TUNNEL_KEYS widens the range", keys))
}

// TunnelKeyTaken says that the tunnel key that the network has on record is another
// network's.
func TunnelKeyTaken(network types.NamespacedName, key int32, holder types.NamespacedName) metav1.Condition {
	return NotProgrammed(ReasonTunnelKeyTaken,
		fmt.Sprintf("tunnel key %d in status.tunnelKey is L2Network %q's, which had it first: no pod is attached, since frames of the two would mix; for another key run "+
			`kubectl -n %s patch l2network %s --subresource=status --type=json -p '[{"op":"remove","path":"/status/tunnelKey"}]'`, key, holder, network.Namespace, network.Name))
}

// NotProgrammed says why an L2Network is not in the northbound database.
func NotProgrammed(reason string, message string) metav1.Condition {
	return condition(ConditionProgrammed, metav1.ConditionFalse, reason, message)
}

// NetworkReady says that pods can be attached: the spec is accepted and
// programmed.
func NetworkReady() metav1.Condition {
	return condition(ConditionReady, metav1.ConditionTrue, ReasonReady, "the spec is in force and in OVN's northbound database")
}

// NetworkNotReady says which condition an L2Network lacks.
func NetworkNotReady(lacks metav1.Condition) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionFalse, lacks.Reason, lacks.Message)
}

// NetworkInUse says which attachments a deletion waits for.
func NetworkInUse(attachments []string) metav1.Condition {
	return condition(ConditionDeleting, metav1.ConditionTrue, ReasonInUse, InUseMessage(attachments))
}

// InUseMessage counts the attachments that keep a network and names the first
// few.
func InUseMessage(attachments []string) string {
	const most = 5
	named := strings.Join(attachments[:min(most, len(attachments))], ", ")
	if len(attachments) > most {
		named += ", ..."
	}
	return fmt.Sprintf("%s left: %s; the network goes when the last is gone", count(len(attachments), "attachment"), named)
}

// AttachmentAccepted says that an attachment has what it asked for.
func AttachmentAccepted() metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionTrue, ReasonAccepted, "the attachment has its port")
}

// AttachmentReserved says that an attachment without a pod has what it asked
// for.
func AttachmentReserved() metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionTrue, ReasonAccepted, "MAC address and addresses are reserved; the port comes with the pod")
}

// AttachmentRefused says, with one of the reasons above, why an attachment
// has no port.
func AttachmentRefused(reason, message string) metav1.Condition {
	return condition(ConditionAccepted, metav1.ConditionFalse, reason, message)
}

// AddressElsewhere says that a peer announces an address that the attachment has, or
// asks for.
func AddressElsewhere(err error) metav1.Condition {
	return AttachmentRefused(ReasonAddressElsewhere, err.Error()+"; the pod is attached when it is withdrawn there")
}

// NetworkNotFound says that the named network does not exist; the attachment
// is completed when it appears.
func NetworkNotFound(network types.NamespacedName) metav1.Condition {
	return AttachmentRefused(ReasonNetworkNotFound,
		fmt.Sprintf("L2Network %q does not exist; the pod is attached when it appears", network))
}

// NotAllowed says that the network's allowedNamespaces shut the pod out.
func NotAllowed(network types.NamespacedName, namespace string) metav1.Condition {
	return AttachmentRefused(ReasonNotAllowed,
		fmt.Sprintf("L2Network %q does not allow pods of namespace %q; see its spec.allowedNamespaces", network, namespace))
}

// NetworkGoing says that the named network is being deleted and takes no more
// attachments.
func NetworkGoing(network types.NamespacedName) metav1.Condition {
	return AttachmentRefused(ReasonNetworkGone,
		fmt.Sprintf("L2Network %q is being deleted; the pod is attached when it is created again", network))
}

// NetworkNotAccepted says that the named network's own spec can't be used.
func NetworkNotAccepted(network types.NamespacedName, why string) metav1.Condition {
	return AttachmentRefused(ReasonNotAccepted, fmt.Sprintf("L2Network %q is not accepted: %s", network, why))
}

// OverrideNotAllowed says that the network forbids a portSecurity of the
// attachment's own.
func OverrideNotAllowed(network types.NamespacedName, asked PortSecurity) metav1.Condition {
	return AttachmentRefused(ReasonNotAllowed,
		fmt.Sprintf("portSecurity %s: L2Network %q does not let attachments choose; see its spec.allowPortSecurityOverride", asked, network))
}

// RoleNotAllowed says that the network gives no attachment the role.
func RoleNotAllowed(network types.NamespacedName, asked Role) metav1.Condition {
	return AttachmentRefused(ReasonRoleNotAllowed,
		fmt.Sprintf("role %s: L2Network %q does not allow it; its owner must add it to spec.allowedRoles", asked, network))
}

// NetworkHasNoKey says that the network has no tunnel key that it may use, and why.
func NetworkHasNoKey(network types.NamespacedName, why metav1.Condition) metav1.Condition {
	return AttachmentRefused(why.Reason, fmt.Sprintf("L2Network %q has no tunnel key of its own, see its condition %s; the pod is attached when it has one", network, why.Type))
}

// NoPortKey says that the network has as many ports as tunnels tell apart.
func NoPortKey(network types.NamespacedName, most int) metav1.Condition {
	return AttachmentRefused(ReasonNoTunnelKey,
		fmt.Sprintf("L2Network %q has %s, the most that tunnels tell apart; the pod is attached when one of them is gone", network, count(most, "port")))
}

// LinkFull says that a vlink has its two endpoints, and which they are.
func LinkFull(network types.NamespacedName, endpoints []string) metav1.Condition {
	return AttachmentRefused(ReasonLinkFull,
		fmt.Sprintf("L2Network %q is a vlink and has its two endpoints: %s", network, strings.Join(endpoints, ", ")))
}

// TooManyAttachments says that a guest namespace has as many attachments on the
// network as the network lets it have.
func TooManyAttachments(network types.NamespacedName, namespace string, most int) metav1.Condition {
	return AttachmentRefused(ReasonTooMany,
		fmt.Sprintf("namespace %q has %s on L2Network %q, the most that its spec.allowedNamespaces.maxAttachments lets a guest namespace have; the pod is attached when one of them is gone", namespace, count(most, "attachment"), network))
}

// LearningStopped says that the pod was seen with more MAC addresses than a port
// may have, and what follows for so long.
func LearningStopped(most int, pause time.Duration) metav1.Condition {
	return condition(ConditionLearning, metav1.ConditionFalse, ReasonTooManyMACs,
		fmt.Sprintf("the pod has sent from more than %d MAC addresses: for %s OVN learns none of them, and the pod gets no frames for addresses that OVN does not know", most, pause))
}

// PortUnchanged says that the port stays as it is, since a change of it is
// refused.
func PortUnchanged(why metav1.Condition) metav1.Condition {
	why.Message += "; the port keeps what it has"
	return why
}

// BindingMismatch says that an attachment's podUID and nodeName are not those
// of the pod.
func BindingMismatch(a *L2Attachment) metav1.Condition {
	return AttachmentRefused(ReasonForged,
		fmt.Sprintf("no pod %q with UID %s runs on node %q; podUID and nodeName are the controller's to write", a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName))
}

// PodEnded says that the attachment's pod has run to its end.
func PodEnded(pod string) metav1.Condition {
	return AttachmentRefused(ReasonPodEnded, fmt.Sprintf("pod %q has ended", pod))
}

// EntryGone says that the pod's annotation does not ask for the attachment any
// more, and it is about to be deleted.
func EntryGone(pod string) metav1.Condition {
	return AttachmentRefused(ReasonInvalid, fmt.Sprintf("no annotation of pod %q asks for this attachment", pod))
}

// HostNetwork says that the attachment's pod has no network namespace of its
// own to put an interface into.
func HostNetwork(pod string) metav1.Condition {
	return AttachmentRefused(ReasonInvalid,
		fmt.Sprintf("pod %q uses the node's network (hostNetwork: true) and gets no interface", pod))
}

// InterfaceTaken says that another interface of the pod has the name that the
// attachment asks for.
func InterfaceTaken(pod, iface string) metav1.Condition {
	return AttachmentRefused(ReasonInterfaceTaken,
		fmt.Sprintf("pod %q has another interface %s; create the attachment with another interface, or with none", pod, iface))
}

// NetworkDetached says that the network went although the attachment was
// there, because its namespace was deleted.
func NetworkDetached(network types.NamespacedName) metav1.Condition {
	return AttachmentRefused(ReasonNetworkGone,
		fmt.Sprintf("namespace %q of L2Network %q is being deleted, and the attachment's port is removed; the pod is attached when the network is created again", network.Namespace, network))
}

// MoveRefused says why the port stays where it is.
func MoveRefused(why metav1.Condition, stays types.NamespacedName) metav1.Condition {
	why.Message = bounded(why.Message+fmt.Sprintf("; the port stays on L2Network %q", stays), maxConditionMessage)
	return why
}

// AttachmentNoPod says that no running pod has the attachment's podName.
func AttachmentNoPod(pod string) metav1.Condition {
	return AttachmentNotReady(ReasonNoPod, fmt.Sprintf("no pod %q runs; MAC address and addresses are kept for the next", pod))
}

// AttachmentAwaitsNode says that the pod's node has not reported yet.
func AttachmentAwaitsNode(node string) metav1.Condition {
	return AttachmentNotReady(ReasonAwaitsNode, fmt.Sprintf("l2sm-agent of node %q has not wired the interface yet", node))
}

// AttachmentReady says that the pod's interface is wired.
func AttachmentReady(iface string) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionTrue, ReasonReady,
		fmt.Sprintf("interface %s is wired and OVN's flows are installed", iface))
}

// AttachmentNotReady says why the pod's interface is not wired.
func AttachmentNotReady(reason, message string) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionFalse, reason, message)
}

// NodeReady says that pods of a node can be attached. Where there is a problem
// that leaves them attached, it is the reason.
func NodeReady(problems []metav1.Condition) metav1.Condition {
	for _, p := range problems {
		return condition(ConditionReady, metav1.ConditionTrue, p.Reason, p.Message)
	}
	return condition(ConditionReady, metav1.ConditionTrue, ReasonReady, "pods of this node can be attached")
}

// NodeNotReady says which problem keeps a node's pods from their networks.
func NodeNotReady(problem metav1.Condition) metav1.Condition {
	return condition(ConditionReady, metav1.ConditionFalse, problem.Reason, problem.Message)
}

// NodeRefused says, in the words of the node's checks, why OVN does not start
// there. Without a reason of theirs it is NodeRefused.
func NodeRefused(reason, message string) metav1.Condition {
	if reason == "" {
		reason = ReasonNodeRefused
	}
	return condition(ConditionRefused, metav1.ConditionTrue, reason, message)
}

// OVSUnreachable says that Open vSwitch's database does not answer.
func OVSUnreachable() metav1.Condition {
	return condition(ConditionOVSUnavailable, metav1.ConditionTrue, ReasonOVSUnreachable,
		"Open vSwitch's database does not answer; see the log of this node's pod of DaemonSet ovn-node, containers ovsdb-server and ovs-vswitchd")
}

// NoIntegrationBridge says that ovn-controller has not made its bridge.
func NoIntegrationBridge(bridge string) metav1.Condition {
	return condition(ConditionOVSUnavailable, metav1.ConditionTrue, ReasonNoBridge,
		fmt.Sprintf("bridge %s does not exist, which ovn-controller makes; see the log of this node's pod of DaemonSet ovn-node, container ovn-controller", bridge))
}

// TunnelErrors says which tunnels Open vSwitch can't make: the first few of all.
func TunnelErrors(first []string, all int) metav1.Condition {
	return condition(ConditionTunnelError, metav1.ConditionTrue, ReasonTunnelError,
		fmt.Sprintf("%s can't be made: %s; is kernel module geneve there, and UDP port 6081 free?", count(all, "tunnel"), strings.Join(first, "; ")))
}

// NameTaken says that another machine has written that it is this node.
func NameTaken(node, own, other string) metav1.Condition {
	return condition(ConditionNameTaken, metav1.ConditionTrue, ReasonNameTaken,
		fmt.Sprintf("two machines have the name %q, with boot IDs %s and %s: give one of them another name, and restart l2sm-agent on the one that keeps it", node, own, other))
}

// UnderlayMTUTooSmall says which tunnel interface carries less than the setting
// promises.
func UnderlayMTUTooSmall(iface string, has, want int) metav1.Condition {
	return condition(ConditionUnderlayMTU, metav1.ConditionTrue, ReasonUnderlayMTU, underlayMTU(iface, has, want))
}

// NoCertificate says why a node gets none.
func NoCertificate(err error) metav1.Condition {
	return condition(ConditionNoCertificate, metav1.ConditionTrue, ReasonNoCertificate,
		fmt.Sprintf("no new certificate for OVN's southbound database: %v; without a valid one the node keeps its flows and learns of no change", err))
}

// NRIUnavailable says why pods are attached only after their containers start.
func NRIUnavailable(err error) metav1.Condition {
	return condition(ConditionNRIUnavailable, metav1.ConditionTrue, ReasonNRIUnavailable,
		fmt.Sprintf("pods get their interfaces after their containers start, since the container runtime tells of none before: %v; "+
			"containerd from 2.0 and CRI-O do where NRI is enabled, and with Multus ATTACH_BY=auto needs none", err))
}

// OtherTunnelKey says which networks are cut off from other nodes.
func OtherTunnelKey(err error) metav1.Condition {
	return condition(ConditionOtherTunnelKey, metav1.ConditionTrue, ReasonOtherTunnelKey,
		fmt.Sprintf("another switch in this node's OVN has the tunnel key of a network, whose pods here reach none on other nodes: %v; "+
			"remove that switch, or give it another key: ovn-sbctl list Datapath_Binding shows who has which", err))
}

// TunnelPortOpen says why pods may inject frames.
func TunnelPortOpen(err error) metav1.Condition {
	return condition(ConditionTunnelPortOpen, metav1.ConditionTrue, ReasonTunnelPortOpen,
		fmt.Sprintf("nftables can't be written, so pods may send tunnel packets to nodes, and inject frames into networks: %v; does the kernel have nf_tables?", err))
}

// AttachmentNodeNotReady says that the attachment's node can't wire it, and why.
func AttachmentNodeNotReady(node string, why metav1.Condition) metav1.Condition {
	return condition(ConditionNodeReady, metav1.ConditionFalse, ReasonNodeNotReady,
		fmt.Sprintf("L2Node %q is not Ready (%s): %s", node, why.Reason, why.Message))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
