package v1alpha1

// Stretch has a network go on in other clusters, and in fabrics outside of
// Kubernetes, under one number on all sides.
type Stretch struct {
	// ID tells the network's frames from other networks' between the sides: the
	// VXLAN network identifier (RFC 7348), and the number of the route target
	// (RFC 8365). It is the same on all sides. A peer's spec.vnis say which ones
	// may be chosen.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16777215
	// +required
	ID int32 `json:"id"`
	// Peers are names of the L2Peers that the network goes on behind.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +required
	Peers []string `json:"peers"`
}

// StretchStatus is how far a network goes on in other clusters. Edges follow it,
// and nothing of the spec.
type StretchStatus struct {
	// ID in force: no other network of the cluster has it.
	// +optional
	ID int32 `json:"id,omitempty"`
	// Chassis is the node whose edge carries the network.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Chassis string `json:"chassis,omitempty"`
	// TunnelKey is that of the edge's port.
	// +optional
	TunnelKey int32 `json:"tunnelKey,omitempty"`
	// Peers that allow the network, in the order of names.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Peers []StretchPeer `json:"peers,omitempty"`
}

// StretchPeer is a network as one peer has it.
type StretchPeer struct {
	// Name of the L2Peer.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`
	// Joined says that the other side announces the network too.
	// +optional
	Joined bool `json:"joined,omitempty"`
	// MACs is how many MAC addresses it announces there.
	// +optional
	MACs int32 `json:"macs,omitempty"`
}
