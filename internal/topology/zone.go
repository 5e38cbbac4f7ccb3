package topology

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// remote is the type of ports whose interface another zone has (ovn-nb(5),
// Logical_Switch_Port type).
const remote = "remote"

// Zone is one node's part of OVN, with a northbound database of its own. It holds
// each network that has a member on the node, and nothing of others.
type Zone struct {
	// Node is the Kubernetes node.
	Node string
	// Chassis is the name that a node has in OVN.
	Chassis func(node string) string
	// Marks are external_ids of our switches for others that use the database.
	Marks map[string]string
}

// For is [For] in the zone's database.
func (z Zone) For(network *v1alpha1.L2Network, attachments, leaving []*v1alpha1.L2Attachment, maxMTU int32) ovn.Network {
	n := z.Switch(network, maxMTU)
	for _, a := range attachments {
		n.Ports = append(n.Ports, z.Port(network, a))
	}
	if edge, goes := z.Edge(network); goes {
		n.Ports = append(n.Ports, edge)
	}
	for _, a := range leaving {
		n.Leaving = append(n.Leaving, a.PortName())
	}
	return n
}

// Switch is [Switch] in the zone's database.
func (z Zone) Switch(network *v1alpha1.L2Network, maxMTU int32) ovn.Network {
	n := Switch(network, maxMTU)
	n.Marks = z.Marks
	return n
}

// Port is [Port] in the zone's database. What another node's port may send is
// seen to there: here it has its addresses only, by which OVN answers ARP and knows
// where to send.
func (z Zone) Port(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) ovn.Port {
	p := Port(network, a)
	p.Options["requested-chassis"] = z.Chassis(a.Spec.NodeName)
	if a.Spec.NodeName == z.Node {
		return p
	}
	p.Type, p.Permit = remote, ""
	if !slices.Contains(p.Addresses, unknown) {
		p.PortSecurity = nil // with it OVN learns nothing of a port that has unknown, as in its own zone
	}
	delete(p.Options, "iface-id-ver")
	return p
}

// NotLearned is an attachment as its port follows it in a zone that it has flooded with MAC
// addresses: condition Learning, which Central has on record, is the zone's own to know.
func NotLearned(a *v1alpha1.L2Attachment) *v1alpha1.L2Attachment {
	stopped := *a
	stopped.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionLearning, Status: metav1.ConditionFalse}}
	return &stopped
}

// Placed is the network on which zones have a port of the attachment, and whether
// there is one: the controller has said where, and by which key.
func Placed(a *v1alpha1.L2Attachment) (on *v1alpha1.NetworkReference, is bool) {
	is = a.Status.Network != nil && a.Status.TunnelKey > 0 && a.Bound() && a.Complete() && a.DeletionTimestamp.IsZero()
	return a.Status.Network, is
}
