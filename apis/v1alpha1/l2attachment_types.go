package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// L2AttachmentSpec is one interface of one pod on one network. What is
// assigned is set once: rules stand on the spec, since a rule on a field is
// bypassed by unsetting and setting it.
// +kubebuilder:validation:XValidation:rule="self.podName == oldSelf.podName",message="podName cannot be changed; create another L2Attachment"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.interface) || has(self.interface) && self.interface == oldSelf.interface",message="interface is set once; create another L2Attachment"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.macAddress) || has(self.macAddress) && self.macAddress == oldSelf.macAddress",message="macAddress is set once; create another L2Attachment"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.addresses) || oldSelf.addresses.size() == 0 || has(self.addresses) && self.addresses == oldSelf.addresses",message="addresses are set once; create another L2Attachment"
// +kubebuilder:validation:XValidation:rule="!has(self.nodeName) || has(self.podUID)",message="nodeName goes with podUID: the controller writes both"
type L2AttachmentSpec struct {
	// PodName is the pod, in the attachment's namespace. It cannot be changed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	PodName string `json:"podName"`

	// PodUID binds the attachment to one life of the pod. The controller
	// writes it, together with nodeName, and again for each next pod of the
	// name. An attachment created with it belongs to that pod and goes with it.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`

	// NodeName is the node that the pod runs on. The controller writes it.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$`
	// +optional
	NodeName string `json:"nodeName,omitempty"`

	// Network to attach to.
	Network NetworkReference `json:"network"`

	// Interface is the interface's name in the pod, such as net1: at most 15
	// ASCII characters that Linux takes. Assigned when empty; then set once.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-$&-.0-9;-~]*$')",message="interface must be of ASCII characters without white space, slash, colon and percent"
	// +kubebuilder:validation:XValidation:rule="!(self in ['lo', 'eth0', '.', '..', 'all', 'default', 'bonding_masters'])",message="interface may be neither lo nor eth0, which belong to the pod and its cluster network, nor ., .., all, default or bonding_masters, which belong to the kernel"
	// +optional
	Interface string `json:"interface,omitempty"`

	// MACAddress of the interface, such as 0a:58:0a:65:02:0a. Assigned when
	// empty; then set once. An attachment with a MAC address is complete: the
	// node wires it.
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:Pattern=`^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$`
	// +kubebuilder:validation:XValidation:rule="self != '00:00:00:00:00:00'",message="macAddress may not be 00:00:00:00:00:00, which is no interface's"
	// +optional
	MACAddress string `json:"macAddress,omitempty"`

	// Addresses of the interface with their prefix lengths, such as
	// 10.101.2.10/16: at most one of each family, and any of the network's
	// subnets that is not excluded, inside its ranges or not. Assigned when empty
	// and the network has ipam; then set once.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(a, isCIDR(a))",message="each of addresses must carry its prefix length, such as 10.101.2.10/16"
	// +kubebuilder:validation:XValidation:rule="!self.all(a, isCIDR(a)) || self.size() < 2 || cidr(self[0]).ip().family() != cidr(self[1]).ip().family()",message="addresses may hold one IPv4 and one IPv6 address, not two of one family"
	// +kubebuilder:validation:XValidation:rule="!self.all(a, isCIDR(a)) || self.all(a, !['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4', '::/8', 'ff00::/8'].exists(b, cidr(b).containsIP(cidr(a).ip())))",message="addresses may hold no multicast, loopback, unspecified or reserved address: these are no host's"
	// +kubebuilder:validation:XValidation:rule="!self.all(a, isCIDR(a)) || self.all(a, !(cidr(a) == cidr(a).masked()) || cidr(a).prefixLength() >= (cidr(a).ip().family() == 4 ? 31 : 127))",message="addresses may have no zero host part, as 10.0.0.0/8 has: that stands for the subnet, and port security would admit all of it"
	// +listType=atomic
	// +optional
	Addresses []string `json:"addresses,omitempty"`

	// PortSecurity of this interface, where the network allows an override.
	// +optional
	PortSecurity PortSecurity `json:"portSecurity,omitempty"`

	// Roles that the pod has towards the others of the network, where its
	// allowedRoles permit them: what a port without the role sends as such is
	// dropped. May be changed.
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	// +optional
	Roles []Role `json:"roles,omitempty"`
}

// NetworkReference names an L2Network.
type NetworkReference struct {
	// Name of the L2Network.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// Namespace of the L2Network: the attachment's own by default.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// L2AttachmentStatus is what became of an attachment.
type L2AttachmentStatus struct {
	// Conditions: Accepted (by the controller), Ready (wired by the node), and by
	// the controller NodeReady while the node is not Ready and has not wired it, and
	// Learning, on fabric Central, while OVN learns no MAC addresses from the port.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Network that the port is on. It differs from spec.network while a move
	// is under way, or is refused: condition Accepted says why.
	// +optional
	Network *NetworkReference `json:"network,omitempty"`
	// TunnelKey tells the port from others of status.network between nodes
	// (requested-tnl-key in ovn-nb(5)), 1-32767. It is written together with
	// status.network.
	// +optional
	TunnelKey int32 `json:"tunnelKey,omitempty"`
	// PortName is the logical switch port in OVN's northbound database.
	// +optional
	PortName string `json:"portName,omitempty"`
	// MTU of the interface, in bytes: what its network has in force. It is
	// written before the port, and the node waits for it.
	// +optional
	MTU int32 `json:"mtu,omitempty"`
	// Addresses are those of the spec, for people: one text with commas.
	// +optional
	Addresses string `json:"addresses,omitempty"`
	// AcceptRouterAdvertisements says that the interface follows Router
	// Advertisements, which it does where its network allows role Router. It is
	// written together with mtu.
	// +optional
	AcceptRouterAdvertisements bool `json:"acceptRouterAdvertisements,omitempty"`
	// SendRouterAdvertisements says that the interface may send Router
	// Advertisements: it has role Router, or portSecurity Disabled. The node drops
	// those of all others.
	// +optional
	SendRouterAdvertisements bool `json:"sendRouterAdvertisements,omitempty"`
}

// L2Attachment is one interface of one pod on one L2Network, and the one
// durable record of its MAC and addresses.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=l2att,categories=l2sm
// +kubebuilder:selectablefield:JSONPath=`.spec.nodeName`
// +kubebuilder:selectablefield:JSONPath=`.spec.podName`
// +kubebuilder:selectablefield:JSONPath=`.status.network.name`
// +kubebuilder:selectablefield:JSONPath=`.status.network.namespace`
// +kubebuilder:printcolumn:name="Pod",type=string,JSONPath=`.spec.podName`
// +kubebuilder:printcolumn:name="Network",type=string,JSONPath=`.spec.network.name`
// +kubebuilder:printcolumn:name="Interface",type=string,JSONPath=`.spec.interface`
// +kubebuilder:printcolumn:name="MAC",type=string,JSONPath=`.spec.macAddress`
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.status.addresses`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.spec.nodeName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`,priority=1
// +kubebuilder:printcolumn:name="Node Reason",type=string,JSONPath=`.status.conditions[?(@.type=="NodeReady")].reason`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Attachment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec L2AttachmentSpec `json:"spec"`
	// +optional
	Status L2AttachmentStatus `json:"status,omitempty"`
}

// L2AttachmentList is a list of L2Attachment.
// +kubebuilder:object:root=true
type L2AttachmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Attachment `json:"items"`
}
