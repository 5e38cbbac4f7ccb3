package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RemoteHost is a MAC address on another side of a network.
type RemoteHost struct {
	// MACAddress of it.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{2}(:[0-9a-f]{2}){5}$`
	// +kubebuilder:validation:MaxLength=17
	// +required
	MACAddress string `json:"macAddress"`
	// Addresses that it is announced with.
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=45
	// +listType=set
	// +optional
	Addresses []string `json:"addresses,omitempty"`
}

// L2Remote is a part of what a peer announces on one network, in the namespace of the
// L2Network. The active edge writes it. Addresses in it are no pod's here as long as
// they stand there. A network has several, so that a change rewrites little.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=l2remote,categories=l2sm
// +kubebuilder:selectablefield:JSONPath=".network"
// +kubebuilder:printcolumn:name="Network",type=string,JSONPath=`.network`
// +kubebuilder:printcolumn:name="Peer",type=string,JSONPath=`.peer`
// +kubebuilder:printcolumn:name="MACs",type=string,JSONPath=`.hosts[*].macAddress`
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.hosts[*].addresses`
type L2Remote struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Network is the L2Network's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Network string `json:"network"`
	// Peer is the L2Peer's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Peer string `json:"peer"`
	// Hosts that the peer announces.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=macAddress
	// +optional
	Hosts []RemoteHost `json:"hosts,omitempty"`
}

// L2RemoteList is a list of L2Remote.
// +kubebuilder:object:root=true
type L2RemoteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Remote `json:"items"`
}
