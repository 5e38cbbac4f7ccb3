package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NetworkType is the shape of a network.
// +kubebuilder:validation:Enum=vnet;vlink
type NetworkType string

const (
	// VNet is one Ethernet segment for any number of pods.
	VNet NetworkType = "vnet"
	// VLink is a point-to-point link of exactly two endpoints.
	VLink NetworkType = "vlink"
)

// PortSecurity says which source addresses a pod may send from.
// +kubebuilder:validation:Enum=Strict;MAC;Disabled
type PortSecurity string

const (
	// PortSecurityStrict lets pass the assigned MAC with the assigned
	// addresses only.
	PortSecurityStrict PortSecurity = "Strict"
	// PortSecurityMAC lets pass the assigned MAC with any IP address, as a
	// router needs.
	PortSecurityMAC PortSecurity = "MAC"
	// PortSecurityDisabled lets everything pass, as a bridge or VRRP needs.
	PortSecurityDisabled PortSecurity = "Disabled"
)

// Role is what a pod is to the others of its network.
// +kubebuilder:validation:Enum=Router;DHCPServer
type Role string

const (
	// RoleRouter sends Router Advertisements and ICMPv6 redirects.
	RoleRouter Role = "Router"
	// RoleDHCPServer sends what DHCPv4 and DHCPv6 servers answer.
	RoleDHCPServer Role = "DHCPServer"
)

// FromNamespaces says whose pods may attach.
// +kubebuilder:validation:Enum=Same;All;Selector
type FromNamespaces string

const (
	NamespacesFromSame     FromNamespaces = "Same"
	NamespacesFromAll      FromNamespaces = "All"
	NamespacesFromSelector FromNamespaces = "Selector"
)

// L2NetworkSpec is what a user wants of a network.
// +kubebuilder:validation:XValidation:rule="!has(self.stretch) || self.type != 'vlink'",message="a vlink can't be stretched: it has exactly two ends, and no side can count those of the others; use a vnet"
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",message="type cannot be changed; create another L2Network"
// +kubebuilder:validation:XValidation:rule="has(self.ipam) == has(oldSelf.ipam)",message="ipam can be neither added nor removed later; create another L2Network"
// +kubebuilder:validation:XValidation:rule="!has(self.mtu) || self.mtu >= 1280 || !has(self.ipam) || !self.ipam.subnets.exists(s, isCIDR(s) && cidr(s).ip().family() == 6)",message="mtu must be at least 1280 on a network with an IPv6 subnet (RFC 8200 section 5)"
type L2NetworkSpec struct {
	// Type is vnet, one Ethernet segment for any number of pods, or vlink, a
	// link between exactly two. It cannot be changed.
	// +kubebuilder:default=vnet
	// +optional
	Type NetworkType `json:"type,omitempty"`

	// IPAM assigns addresses to attachments. Without it the network is pure
	// layer 2: pods set addresses of their own.
	// +optional
	IPAM *IPAM `json:"ipam,omitempty"`

	// MTU of the pods' interfaces, in bytes. Default: what the cluster's
	// underlay carries less the tunnel's overhead (58 bytes for Geneve over
	// IPv4, 78 over IPv6); status.mtu shows it. A larger one is refused by
	// condition Accepted.
	// +kubebuilder:validation:Minimum=68
	// +kubebuilder:validation:Maximum=65535
	// +optional
	MTU *int32 `json:"mtu,omitempty"`

	// PortSecurity says which source addresses pods may send from: Strict
	// (the assigned MAC and addresses), MAC (the assigned MAC, any address) or
	// Disabled. Default: Strict with ipam, MAC without.
	// +optional
	PortSecurity PortSecurity `json:"portSecurity,omitempty"`

	// AllowPortSecurityOverride lets single attachments choose another
	// portSecurity: a router, a bridge, VRRP.
	// +optional
	AllowPortSecurityOverride bool `json:"allowPortSecurityOverride,omitempty"`

	// AllowedRoles are the roles that attachments may have: Router and
	// DHCPServer. Router Advertisements, redirects and DHCP offers of all others are
	// dropped under portSecurity Strict and MAC, and pods follow Router
	// Advertisements only where Router is allowed. Default: none with ipam, all
	// without; an empty list is none. May be changed.
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	// +optional
	AllowedRoles *[]Role `json:"allowedRoles,omitempty"`

	// AllowedNamespaces says whose pods may attach: those of the network's
	// own namespace by default.
	// +kubebuilder:default={from: Same}
	// +optional
	AllowedNamespaces AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// Stretch has the network go on in other clusters, as one Ethernet segment. Both
	// sides have to want it: see condition Stretched. With ipam, the sides have one
	// subnet and ranges of it that are apart. Not of a vlink, which has exactly two
	// ends.
	// +optional
	Stretch *Stretch `json:"stretch,omitempty"`
}

// IPAM says which addresses a network assigns.
// +kubebuilder:validation:XValidation:rule="self.subnets == oldSelf.subnets",message="subnets cannot be changed; create another L2Network"
// +kubebuilder:validation:XValidation:rule="!self.subnets.all(s, isCIDR(s)) || !has(self.ranges) || self.ranges.all(r, !(isCIDR(r) || isIP(r) || r.split('-').size() == 2 && r.split('-').all(e, isIP(e))) || self.subnets.exists(s, isCIDR(r) ? cidr(s).containsCIDR(r) : r.split('-').all(e, cidr(s).containsIP(e))))",message="each of ranges must lie inside one of subnets"
// +kubebuilder:validation:XValidation:rule="!self.subnets.all(s, isCIDR(s)) || !has(self.excluded) || self.excluded.all(r, !(isCIDR(r) || isIP(r) || r.split('-').size() == 2 && r.split('-').all(e, isIP(e))) || self.subnets.exists(s, isCIDR(r) ? cidr(s).containsCIDR(r) : r.split('-').all(e, cidr(s).containsIP(e))))",message="each of excluded must lie inside one of subnets"
type IPAM struct {
	// Subnets of the network: at most one of each family, in CIDR notation,
	// such as 10.101.0.0/16 or fd10:101::/64. They hold unicast addresses only,
	// and no IPv6 link-local ones. They cannot be changed. Condition Overlaps warns
	// where the cluster's Services, pods or nodes have addresses of them.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(s, isCIDR(s))",message="each of subnets must be in CIDR notation, such as 10.101.0.0/16 or fd10:101::/64"
	// +kubebuilder:validation:XValidation:rule="!self.all(s, isCIDR(s)) || self.all(s, cidr(s) == cidr(s).masked())",message="each of subnets must be a network address: no bits may be set behind the prefix, as in 10.101.0.0/16"
	// +kubebuilder:validation:XValidation:rule="!self.all(s, isCIDR(s)) || self.size() < 2 || cidr(self[0]).ip().family() != cidr(self[1]).ip().family()",message="subnets may hold one IPv4 and one IPv6 subnet, not two of one family"
	// +kubebuilder:validation:XValidation:rule="!self.all(s, isCIDR(s)) || self.all(s, !['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4', '::/8', 'fe80::/10', 'ff00::/8'].exists(b, cidr(b).containsCIDR(cidr(s).masked()) || cidr(s).containsCIDR(b)))",message="subnets must be of addresses that hosts can have: they may not overlap 0.0.0.0/8, 127.0.0.0/8 (loopback), 224.0.0.0/4 (multicast), 240.0.0.0/4 (reserved), ::/8 (loopback), fe80::/10 (link-local) or ff00::/8 (multicast)"
	// +listType=atomic
	Subnets []string `json:"subnets"`

	// Ranges inside the subnets that addresses are assigned from, each a CIDR,
	// an address, or first-last. Default: the whole subnets. They bound what is
	// assigned, not what is asked for: a pod may name any address of the subnets
	// that is not excluded. May be changed.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=87
	// +kubebuilder:validation:XValidation:rule="self.all(r, isCIDR(r) || isIP(r) || r.split('-').size() == 2 && r.split('-').all(e, isIP(e)))",message="each of ranges must be a CIDR (10.101.2.0/24), an address, or first-last (10.101.2.1-10.101.2.9)"
	// +listType=atomic
	// +optional
	Ranges []string `json:"ranges,omitempty"`

	// Excluded addresses are never assigned, nor granted on request, each a
	// CIDR, an address, or first-last. May be changed.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=87
	// +kubebuilder:validation:XValidation:rule="self.all(r, isCIDR(r) || isIP(r) || r.split('-').size() == 2 && r.split('-').all(e, isIP(e)))",message="each of excluded must be a CIDR (10.101.2.0/28), an address, or first-last (10.101.2.1-10.101.2.9)"
	// +listType=atomic
	// +optional
	Excluded []string `json:"excluded,omitempty"`

	// DHCP lets OVN answer DHCPv4 and DHCPv6 with the assigned addresses, for
	// guests that ask: a virtual machine behind the pod's interface. Pods have
	// their addresses without it.
	// +optional
	DHCP bool `json:"dhcp,omitempty"`
}

// AllowedNamespaces says whose pods may attach to a network, in the manner of
// the Gateway API's allowedRoutes.
// +kubebuilder:validation:XValidation:rule="has(self.selector) == (has(self.from) && self.from == 'Selector')",message="selector goes with from: Selector, and only with it"
type AllowedNamespaces struct {
	// From is Same (the network's own namespace), All, or Selector.
	// +kubebuilder:default=Same
	// +optional
	From FromNamespaces `json:"from,omitempty"`
	// Selector picks namespaces by their labels, with from: Selector. It has at
	// most 64 labels and 64 expressions of at most 64 values each.
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || self.matchLabels.size() <= 64) && (!has(self.matchExpressions) || self.matchExpressions.size() <= 64 && self.matchExpressions.all(e, !has(e.values) || e.values.size() <= 64))",message="selector may have at most 64 labels and 64 expressions, each with at most 64 values"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="each operator of selector must be In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, !(e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist']) || (e.operator in ['In', 'NotIn']) == (has(e.values) && e.values.size() > 0))",message="selector needs values with the operators In and NotIn, and takes none with Exists and DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || self.matchLabels.all(k, k.size() <= 317 && self.matchLabels[k].size() <= 63)) && (!has(self.matchExpressions) || self.matchExpressions.all(e, e.key.size() <= 317))",message="selector holds a key or a value that is longer than a label can be"
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// MaxAttachments is how many attachments each guest namespace, any but the
	// network's own, may have on the network: those of its pods, and those that
	// reserve addresses for pods to come. One more is refused by its condition
	// Accepted, with reason TooManyAttachments.
	// +kubebuilder:default=256
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65536
	// +optional
	MaxAttachments int32 `json:"maxAttachments,omitempty"`
}

// L2NetworkStatus is what is in force.
type L2NetworkStatus struct {
	// Conditions: Accepted (the spec is valid), Programmed (this generation is
	// in OVN's northbound database), Ready (both), Deleting (what a deletion
	// waits for), Stretched (whether it goes on behind all peers of spec.stretch, and
	// what is missing), Overlaps (which addresses of the cluster the subnets include;
	// only where they do), AttachedLate (why pods get their interface once they
	// run; only where they do).
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Attachments counts the network's attachments: those with a port, and
	// those whose addresses wait for their pod.
	// +kubebuilder:default=0
	// +optional
	Attachments int32 `json:"attachments"`
	// MTU in force, in bytes.
	// +optional
	MTU int32 `json:"mtu,omitempty"`
	// TunnelKey tells the network's frames from other networks' between nodes
	// (requested-tnl-key in ovn-nb(5)). It is the same on all nodes and kept for
	// the network's life, also where OVN's databases are lost.
	// +optional
	TunnelKey int32 `json:"tunnelKey,omitempty"`
	// Subnets are those of the spec in force, for people: one text with commas.
	// +optional
	Subnets string `json:"subnets,omitempty"`
	// IPAM in force, with its defaults.
	// +optional
	IPAM *IPAMStatus `json:"ipam,omitempty"`
	// Stretch is how far the network goes on in other clusters. Only where it may.
	// +optional
	Stretch *StretchStatus `json:"stretch,omitempty"`
	// InForce is the spec that ports, addresses, DHCP and MTUs follow: the last
	// one that was accepted. It has the fields of spec.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	InForce *L2NetworkSpec `json:"inForce,omitempty"`
}

// IPAMStatus is the address management in force. It differs from the spec
// where a change would strand addresses in use.
type IPAMStatus struct {
	// Ranges that addresses are assigned from.
	// +listType=atomic
	// +optional
	Ranges []string `json:"ranges,omitempty"`
	// Excluded addresses.
	// +listType=atomic
	// +optional
	Excluded []string `json:"excluded,omitempty"`
}

// L2Network is one isolated Ethernet segment that pods attach to, on whatever
// nodes they run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=l2net,categories=l2sm
// +kubebuilder:selectablefield:JSONPath=".status.stretch.chassis"
// +kubebuilder:selectablefield:JSONPath=".status.stretch.id"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Subnets",type=string,JSONPath=`.status.subnets`
// +kubebuilder:printcolumn:name="Attachments",type=integer,JSONPath=`.status.attachments`
// +kubebuilder:printcolumn:name="MTU",type=integer,JSONPath=`.status.mtu`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:printcolumn:name="Stretched",type=string,JSONPath=`.status.conditions[?(@.type=="Stretched")].reason`,priority=1
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.stretch.id`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Network struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:default={type: vnet}
	// +optional
	Spec L2NetworkSpec `json:"spec,omitempty"`
	// +optional
	Status L2NetworkStatus `json:"status,omitempty"`
}

// L2NetworkList is a list of L2Network.
// +kubebuilder:object:root=true
type L2NetworkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Network `json:"items"`
}
