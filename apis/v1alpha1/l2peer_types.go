package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PeerType is what is at the other end.
// +kubebuilder:validation:Enum=Cluster;Fabric
type PeerType string

const (
	// PeerCluster is another cluster's edge: its endpoints announce themselves
	// only.
	PeerCluster PeerType = "Cluster"
	// PeerFabric is an EVPN fabric: its endpoints, reflectors mostly, announce
	// VTEPs of declared ranges.
	PeerFabric PeerType = "Fabric"
)

// L2PeerSpec says who is at the other end, and what it may.
// +kubebuilder:validation:XValidation:rule="has(self.vteps) == (self.type == 'Fabric')",message="vteps goes with type: Fabric, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type != 'Fabric' || self.endpoints.all(e, !has(e.publicKeys))",message="publicKeys are of another cluster's edges: a fabric speaks no WireGuard"
type L2PeerSpec struct {
	// Type is Cluster, another cluster's edges, or Fabric, switches and routers that
	// speak EVPN.
	// +kubebuilder:default=Cluster
	// +optional
	Type PeerType `json:"type,omitempty"`
	// Endpoints are the other side's edges, or the BGP speakers of a fabric.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(e, !has(e.publicKeys) || e.publicKeys.all(k, self.filter(other, has(other.publicKeys) && k in other.publicKeys).size() == 1))",message="a public key is of one endpoint: each of the other cluster's nodes has keys of its own"
	// +listType=map
	// +listMapKey=address
	// +required
	Endpoints []PeerEndpoint `json:"endpoints"`
	// ASN of the endpoints. It is the L2Edge's own (iBGP).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65534
	// +required
	ASN int32 `json:"asn"`
	// VTEPs are ranges of the addresses that a fabric's tunnels start from, in CIDR
	// notation. Routes to others are not followed, frames from others dropped.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(r, isCIDR(r))",message="each of vteps must be in CIDR notation, such as 10.0.0.0/24"
	// +kubebuilder:validation:XValidation:rule="!self.all(r, isCIDR(r)) || self.all(r, cidr(r) == cidr(r).masked())",message="each of vteps must be a network address: no bits may be set behind the prefix, as in 10.0.0.0/24"
	// +listType=atomic
	// +optional
	VTEPs []string `json:"vteps,omitempty"`
	// PasswordSecretRef names a Secret of namespace l2sm-edge whose key password is
	// that of the BGP sessions (TCP MD5, RFC 2385).
	// +optional
	PasswordSecretRef *SecretReference `json:"passwordSecretRef,omitempty"`
	// VNIs are the numbers that networks may take with this peer.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +required
	VNIs []VNIRange `json:"vnis"`
	// Namespaces whose networks may be stretched to the peer; {} is all.
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || self.matchLabels.size() <= 64) && (!has(self.matchExpressions) || self.matchExpressions.size() <= 64 && self.matchExpressions.all(e, !has(e.values) || e.values.size() <= 64))",message="namespaces may have at most 64 labels and 64 expressions, each with at most 64 values"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="each operator of namespaces must be In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, !(e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist']) || (e.operator in ['In', 'NotIn']) == (has(e.values) && e.values.size() > 0))",message="namespaces needs values with the operators In and NotIn, and takes none with Exists and DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || self.matchLabels.all(k, k.size() <= 317 && self.matchLabels[k].size() <= 63)) && (!has(self.matchExpressions) || self.matchExpressions.all(e, e.key.size() <= 317))",message="namespaces holds a key or a value that is longer than a label can be"
	// +required
	Namespaces metav1.LabelSelector `json:"namespaces"`
	// MaxMACs is how many MAC addresses the peer may announce on one network. Further
	// ones are left out, and condition TooManyMACs says so.
	// +kubebuilder:default=1024
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65536
	// +optional
	MaxMACs int32 `json:"maxMACs,omitempty"`
	// FloodRate is how many frames a second one network may send to, and get from,
	// this peer's side by flooding: broadcast, multicast, unknown destinations.
	// Further ones are dropped.
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	FloodRate int32 `json:"floodRate,omitempty"`
}

// PeerEndpoint is one speaker of the other side.
type PeerEndpoint struct {
	// Address of its BGP session; of a cluster's edge, of its tunnels as well.
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="address must be an IPv4 or IPv6 address"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || ip.isCanonical(self) && (ip(self).isGlobalUnicast() || ip(self).isLoopback())",message="address must be one that a host can have, in its usual form, such as 192.0.2.1 or 2001:db8::1"
	// +required
	Address string `json:"address"`
	// PublicKeys of the endpoint's WireGuard, in base64, as its cluster's L2Edge has them in
	// status.nodes: any of them may be in use. Needed where our L2Edge says encryption:
	// WireGuard, and only there.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=44
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$'))",message="each of publicKeys must be a WireGuard key in base64, 44 characters, as status.nodes of the other cluster's L2Edge has it"
	// +listType=set
	// +optional
	PublicKeys []string `json:"publicKeys,omitempty"`
}

// SecretReference names a Secret of namespace l2sm-edge.
type SecretReference struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// VNIRange are numbers from first to last.
// +kubebuilder:validation:XValidation:rule="self.first <= self.last",message="first may not be above last"
type VNIRange struct {
	// First of the numbers.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16777215
	// +required
	First int32 `json:"first"`
	// Last of them.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16777215
	// +required
	Last int32 `json:"last"`
}

// L2PeerStatus is what this cluster's active edge sees of the peer.
type L2PeerStatus struct {
	// Conditions: Ready (a session is established), TooManyMACs, TooManyVTEPs and
	// AddressConflict as long as there is one.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Sessions, one an endpoint.
	// +listType=map
	// +listMapKey=address
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Sessions []PeerSession `json:"sessions,omitempty"`
	// Networks that the peer announces and that go on here.
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=4096
	// +optional
	Networks []PeerNetwork `json:"networks,omitempty"`
	// MACs is how many MAC addresses the peer announces on all of them.
	// +optional
	MACs int32 `json:"macs,omitempty"`
}

// PeerSession is one BGP session.
type PeerSession struct {
	// Address of the endpoint.
	// +kubebuilder:validation:MaxLength=45
	// +required
	Address string `json:"address"`
	// Established says that the session is up.
	// +required
	Established bool `json:"established"`
	// Received is how many routes the other side announces in it.
	// +optional
	Received int32 `json:"received,omitempty"`
	// Sent is how many are announced to it.
	// +optional
	Sent int32 `json:"sent,omitempty"`
	// Reachable says what BFD (RFC 5880) on the tunnel sees: frames arrive both ways.
	// Not of fabrics.
	// +optional
	Reachable *bool `json:"reachable,omitempty"`
	// Message is why it is not established.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// PeerNetwork is a network as the peer announces it.
type PeerNetwork struct {
	// ID of the network.
	// +required
	ID int32 `json:"id"`
	// Namespace of the L2Network here.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Namespace string `json:"namespace"`
	// Name of the L2Network here.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
	// MACs is how many MAC addresses are followed.
	// +optional
	MACs int32 `json:"macs,omitempty"`
	// Refused is how many were left out, for maxMACs.
	// +optional
	Refused int32 `json:"refused,omitempty"`
	// VTEPsRefused is how many of a fabric's VTEPs were left out: a network has 256 of all
	// its fabrics, and each fabric an equal share.
	// +optional
	VTEPsRefused int32 `json:"vtepsRefused,omitempty"`
	// MTU, in bytes, that it says the network has there. Fabrics say none.
	// +optional
	MTU int32 `json:"mtu,omitempty"`
	// Conflict is the first address or MAC address, of all that there are, which the peer
	// announces and a pod of ours has.
	// +kubebuilder:validation:MaxLength=45
	// +optional
	Conflict string `json:"conflict,omitempty"`
}

// L2Peer is another cluster, or an EVPN fabric, that networks may be stretched to,
// and what it may. It is the administrator's consent; a network's owner gives theirs by
// spec.stretch, and both are needed on both sides.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=l2peer,categories=l2sm
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name may have 63 characters at most"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Endpoints",type=string,JSONPath=`.spec.endpoints[*].address`
// +kubebuilder:printcolumn:name="MACs",type=integer,JSONPath=`.status.macs`
// +kubebuilder:printcolumn:name="ASN",type=integer,JSONPath=`.spec.asn`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Peer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec L2PeerSpec `json:"spec"`
	// +optional
	Status L2PeerStatus `json:"status,omitempty"`
}

// L2PeerList is a list of L2Peer.
// +kubebuilder:object:root=true
type L2PeerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Peer `json:"items"`
}
