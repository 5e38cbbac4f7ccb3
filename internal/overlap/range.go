package overlap

import (
	"cmp"
	"fmt"
	"net/netip"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Kind is whose addresses a range of the cluster has, in the order of what it
// costs a pod to lose them.
type Kind int

// The kinds of ranges. Those of Peers are not the whole cluster's but of networks that
// OVN-Kubernetes keeps beside ours, so an Index has none of them.
const (
	Services Kind = iota
	Pods
	Nodes
	Peers
	kinds
)

// kindNames are what users read: the condition's reason, whose addresses they
// are, and the kind of the object that says so.
var kindNames = [kinds]struct{ reason, whose, object string }{
	Services: {v1alpha1.ReasonOverlapsServices, "Services", "ServiceCIDR"},
	Pods:     {v1alpha1.ReasonOverlapsPods, "pods", "Node"},
	Nodes:    {v1alpha1.ReasonOverlapsNodes, "nodes", "Node"},
	Peers:    {v1alpha1.ReasonOverlapsPeers, "networks of OVN-Kubernetes", "NetworkAttachmentDefinition"},
}

// Range is a range of the cluster's addresses.
type Range struct {
	Kind Kind
	// Prefix has no bits set behind it. A node's address is one of full length.
	Prefix netip.Prefix
	// Object is the name of the ServiceCIDR, Node or definition that has the range.
	Object string
}

// order puts a range before those that lie inside of it, so that what overlaps
// none of those before does not overlap any of them.
func (r Range) order(o Range) int {
	return cmp.Or(r.Prefix.Addr().Compare(o.Prefix.Addr()), cmp.Compare(r.Prefix.Bits(), o.Prefix.Bits()), cmp.Compare(r.Object, o.Object))
}

// Overlap is a network's subnet with a range of the cluster that it overlaps.
type Overlap struct {
	Subnet netip.Prefix
	Range
}

// Reason is that of the network's condition.
func (o Overlap) Reason() string { return kindNames[o.Kind].reason }

// String names the subnet, the range and whose it is.
func (o Overlap) String() string {
	kind := kindNames[o.Kind]
	addresses := o.Prefix.String()
	if o.Prefix.IsSingleIP() {
		addresses = o.Prefix.Addr().String()
	}
	return fmt.Sprintf("subnet %s overlaps the cluster's %s (%s of %s %q)", o.Subnet, kind.whose, addresses, kind.object, o.Object)
}
