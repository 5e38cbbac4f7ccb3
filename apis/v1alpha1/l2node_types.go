package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// L2NodeVersions are the versions of what a node runs.
type L2NodeVersions struct {
	// OVS is Open vSwitch's.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	OVS string `json:"ovs,omitempty"`
	// OVN is ovn-controller's.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	OVN string `json:"ovn,omitempty"`
	// Kernel is the node's, as uname -r prints it.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Kernel string `json:"kernel,omitempty"`
	// Agent is l2sm-agent's.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Agent string `json:"agent,omitempty"`
}

// L2NodeStatus is what a node's agent sees there.
type L2NodeStatus struct {
	// Conditions: Ready, and one for each problem as long as there is it. The
	// message says what to do.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Chassis is the node's name in OVN.
	// +optional
	Chassis string `json:"chassis,omitempty"`
	// TunnelAddresses are those that the node's tunnels start from.
	// +listType=atomic
	// +optional
	TunnelAddresses []string `json:"tunnelAddresses,omitempty"`
	// Datapath is system, the kernel's, or netdev, ovs-vswitchd's own.
	// +optional
	Datapath string `json:"datapath,omitempty"`
	// MTU is the smallest of the interfaces that hold the tunnels' addresses, in
	// bytes.
	// +optional
	MTU int32 `json:"mtu,omitempty"`
	// BootID is that of the machine whose agent wrote the status. One that another
	// machine changes shows that two have one name.
	// +optional
	BootID string `json:"bootID,omitempty"`
	// Versions of the programs.
	// +optional
	Versions L2NodeVersions `json:"versions,omitempty"`
}

// L2Node is a node as l2sm sees it. The node's agent creates and writes it; it
// goes with the Node of its name.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=l2node,categories=l2sm
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Tunnel IP",type=string,JSONPath=`.status.tunnelAddresses[0]`
// +kubebuilder:printcolumn:name="Datapath",type=string,JSONPath=`.status.datapath`
// +kubebuilder:printcolumn:name="MTU",type=integer,JSONPath=`.status.mtu`
// +kubebuilder:printcolumn:name="OVS",type=string,JSONPath=`.status.versions.ovs`
// +kubebuilder:printcolumn:name="OVN",type=string,JSONPath=`.status.versions.ovn`,priority=1
// +kubebuilder:printcolumn:name="Kernel",type=string,JSONPath=`.status.versions.kernel`,priority=1
// +kubebuilder:printcolumn:name="Agent",type=string,JSONPath=`.status.versions.agent`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Node struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status L2NodeStatus `json:"status,omitempty"`
}

// L2NodeList is a list of L2Node.
// +kubebuilder:object:root=true
type L2NodeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Node `json:"items"`
}
