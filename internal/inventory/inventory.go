// Package inventory is what l2sm's programs say that they have: each agent of
// its node, each controller of the addresses it has given out. They serve it
// beside their metrics, for l2sm-controller audit to compare.
package inventory

import "l2sm.io/l2sm/ovn"

// Path is where it is served.
const Path = "/inventory"

// Names that the servers' certificates bear: an agent's or a controller's address
// is not known beforehand.
const (
	AgentName      = "l2sm-agent"
	ControllerName = "l2sm-controller"
)

// Node is what l2sm has on one node.
type Node struct {
	// Node is its name in Kubernetes.
	Node string `json:"node"`
	// Ports are the attachments' interfaces on the integration bridge.
	Ports []Port `json:"ports"`
	// HostEnds are the node's ends of pods' interfaces.
	HostEnds []HostEnd `json:"hostEnds"`
	// Zone is what the node's own databases hold, nil on fabric Central.
	Zone *Zone `json:"zone,omitempty"`
}

// Zone is what a node's own two databases hold of l2sm's: other rows are left out.
type Zone struct {
	Northbound ovn.Contents `json:"northbound"`
	Southbound ovn.Bindings `json:"southbound"`
	// NotLearned are the UIDs of the attachments that have flooded the node with MAC
	// addresses: for a while it learns none of them.
	NotLearned []string `json:"notLearned,omitempty"`
}

// Port is one attachment's interface in Open vSwitch.
type Port struct {
	// Name of the port, and of its host end.
	Name string `json:"name"`
	// LogicalPort is its iface-id: the logical switch port.
	LogicalPort string `json:"logicalPort"`
	// Attachment is the L2Attachment's UID.
	Attachment string `json:"attachment"`
	// MAC and Interface are what the pod's interface should have.
	MAC       string `json:"mac"`
	Interface string `json:"interface"`
	// Container is the sandbox that it was made for.
	Container    string `json:"container"`
	PodNamespace string `json:"podNamespace"`
	PodName      string `json:"podName"`
	PodUID       string `json:"podUID"`
	// Installed says that ovn-controller has installed its flows.
	Installed bool `json:"installed"`
	// Error is why ovs-vswitchd could not open it.
	Error string `json:"error,omitempty"`
	// Inner is the pod's interface as it is.
	Inner Interface `json:"inner"`
}

// Interface is an interface in a pod.
type Interface struct {
	Present bool `json:"present"`
	// Error is why it could not be looked at.
	Error string `json:"error,omitempty"`
	MAC   string `json:"mac,omitempty"`
	// MTU in bytes.
	MTU int `json:"mtu,omitempty"`
	// Addresses with their prefix lengths, without IPv6 link-local ones.
	Addresses []string `json:"addresses,omitempty"`
}

// HostEnd is the node's end of a pod's interface.
type HostEnd struct {
	Name string `json:"name"`
	// Container and IfName are the CNI ADD that made it, empty where its maker
	// died before it could write them down.
	Container string `json:"container,omitempty"`
	IfName    string `json:"ifName,omitempty"`
}

// Controller is what one replica of l2sm-controller knows.
type Controller struct {
	// Leads says that this replica works; the others know of no lease.
	Leads bool `json:"leads"`
	// Leases are all addresses that are given out.
	Leases []Lease `json:"leases"`
}

// Lease is what one attachment has on one network.
type Lease struct {
	// Network and Owner, an L2Attachment, are "namespace/name".
	Network string `json:"network"`
	Owner   string `json:"owner"`
	MAC     string `json:"mac"`
	// Addresses with their prefix lengths.
	Addresses []string `json:"addresses,omitempty"`
	// Pending says that the attachment is not known to be written yet.
	Pending bool `json:"pending,omitempty"`
}
