package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EdgeName is the name of the one L2Edge of a cluster.
const EdgeName = "default"

// EdgeAddressAnnotation is, on a Node, the address at which peers reach its
// edge, where it is not the one that the node's tunnels have.
const EdgeAddressAnnotation = "l2sm.io/edge-address"

const (
	// EdgeNamespace holds the Secrets of edges and nothing else: edges may read all of it.
	EdgeNamespace = "l2sm-edge"
	// PasswordKey is the password's in a Secret that an L2Peer names.
	PasswordKey = "password"
	// WireGuardSecretType is the type of Secrets with an edge's keys.
	WireGuardSecretType = "l2sm.io/wireguard"
)

// WireGuardSecret is the name of the Secret with the keys of the node's edge.
func WireGuardSecret(node string) string { return "wireguard-" + node }

// Encryption says how frames between edges are protected.
// +kubebuilder:validation:Enum=None;WireGuard
type Encryption string

const (
	EncryptionNone      Encryption = "None"
	EncryptionWireGuard Encryption = "WireGuard"
)

// L2EdgeSpec says where this cluster's networks leave it.
// +kubebuilder:validation:XValidation:rule="!has(self.encryption) || self.encryption != 'WireGuard' || !has(self.mtu) || self.mtu >= 1360",message="encryption WireGuard needs an mtu of at least 1360: BGP and VXLAN go inside it over IPv6, which needs 1280"
type L2EdgeSpec struct {
	// NodeSelector picks the nodes that run an edge: one of them is active, the
	// others stand by.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && self[k].size() <= 63)",message="nodeSelector holds a key or a value that is longer than a label can be"
	// +required
	NodeSelector map[string]string `json:"nodeSelector"`
	// Address at which peers reach the edge, where nodeSelector picks one node: VXLAN's
	// and BGP's. A node's annotation l2sm.io/edge-address goes before it. Default: the
	// address that the node's tunnels have.
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="address must be an IPv4 or IPv6 address"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || ip.isCanonical(self) && (ip(self).isGlobalUnicast() || ip(self).isLoopback())",message="address must be one that a host can have, in its usual form, such as 192.0.2.1 or 2001:db8::1"
	// +optional
	Address string `json:"address,omitempty"`
	// ASN is the autonomous system (RFC 4271) of this cluster's edges, and the first
	// half of every network's route target: the same on all sides of a network.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65534
	// +required
	ASN int32 `json:"asn"`
	// Encryption of all that goes between edges, frames and BGP: None, or WireGuard, which
	// every peer must have as well, and which fabrics do not speak. Its keys are made by
	// edges, see status.nodes.
	// +kubebuilder:default=None
	// +optional
	Encryption Encryption `json:"encryption,omitempty"`
	// KeyGeneration says which keys edges use for WireGuard: of each node there is that of
	// this generation and the next one's, both in status.nodes. One more has edges change to
	// the next, which peers know by then; they know none of later ones, so it goes up by one
	// at a time.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +kubebuilder:validation:XValidation:rule="self >= oldSelf",message="keyGeneration can't be lowered: the keys of former generations are gone"
	// +kubebuilder:validation:XValidation:rule="self <= oldSelf + 1",message="keyGeneration goes up one at a time: peers know the keys of the next generation, and none of later ones"
	// +optional
	KeyGeneration int32 `json:"keyGeneration,omitempty"`
	// MTU, in bytes, of the path between edges. Networks carry 50 bytes less over
	// it (VXLAN over IPv4; 70 over IPv6), and 130 less with WireGuard (150 over
	// IPv6). A network whose MTU does not fit is not stretched: see its condition
	// Stretched.
	// +kubebuilder:default=1500
	// +kubebuilder:validation:Minimum=1280
	// +kubebuilder:validation:Maximum=65535
	// +optional
	MTU int32 `json:"mtu,omitempty"`
}

// EdgeNode is one node that runs an edge.
type EdgeNode struct {
	// Name of the Node.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
	// Address at which peers reach it. Their administrators write it into
	// spec.endpoints of their L2Peer.
	// +kubebuilder:validation:MaxLength=45
	// +optional
	Address string `json:"address,omitempty"`
	// PublicKeys of its WireGuard, in base64: the one in use, and the next one. Peers'
	// administrators write both beside the address. The node's edge writes them, and
	// condition Ready says AwaitsKeys until the active one has.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=44
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$`
	// +listType=atomic
	// +optional
	PublicKeys []string `json:"publicKeys,omitempty"`
}

// L2EdgeStatus is which node carries the traffic.
type L2EdgeStatus struct {
	// Conditions: Ready.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Active is the node whose edge carries all networks: the one that holds Lease
	// l2sm-edge. It stays as long as another may take over.
	// +optional
	Active string `json:"active,omitempty"`
	// Nodes that may be the active one, in the order of names: the first 16 that
	// nodeSelector picks.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Nodes []EdgeNode `json:"nodes,omitempty"`
}

// L2Edge is where this cluster's networks leave it: one or more nodes that speak
// VXLAN and BGP EVPN to the edges of other clusters and to fabrics. There is one,
// with the name default.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=l2edge,categories=l2sm
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'default'",message="a cluster has one L2Edge, named default"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.active`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.nodes[*].address`
// +kubebuilder:printcolumn:name="ASN",type=integer,JSONPath=`.spec.asn`
// +kubebuilder:printcolumn:name="Encryption",type=string,JSONPath=`.spec.encryption`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Edge struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec L2EdgeSpec `json:"spec"`
	// +optional
	Status L2EdgeStatus `json:"status,omitempty"`
}

// L2EdgeList is a list of L2Edge.
// +kubebuilder:object:root=true
type L2EdgeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Edge `json:"items"`
}
