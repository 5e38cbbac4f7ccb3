package stretch

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// maxNodes is how many nodes may run an edge (L2Edge, status.nodes).
const maxNodes = 16

// Bytes that a frame between edges has more than the pod's packet: the inner Ethernet
// header, VXLAN (RFC 7348, section 5), UDP and IP; and what WireGuard puts around that:
// its header and authentication tag, UDP and IP. Inside WireGuard edges have IPv6
// addresses, whatever the way has.
const (
	vxlanIPv4     = 14 + 8 + 8 + 20
	vxlanIPv6     = 14 + 8 + 8 + 40
	wireGuardIPv4 = 32 + 8 + 20
	wireGuardIPv6 = 32 + 8 + 40
)

// Edge is what carries networks out of the cluster.
type Edge struct {
	// Wanted says that there is an L2Edge, whether or not it has a node.
	Wanted bool
	// Active is the node, empty for none, for the reason Why.
	Active string
	Why    string
	// Underlay is the MTU of the way, in bytes. IPv6 says that it is that of a node that may
	// carry them: what fits must fit after a take-over as well.
	Underlay   int32
	IPv6       bool
	Encryption v1alpha1.Encryption
}

// MTU is the largest that a network may have to go on, in bytes.
func (e Edge) MTU() int32 {
	wireGuard := e.Encryption == v1alpha1.EncryptionWireGuard
	switch {
	case wireGuard && e.IPv6:
		return e.Underlay - vxlanIPv6 - wireGuardIPv6
	case wireGuard:
		return e.Underlay - vxlanIPv6 - wireGuardIPv4
	case e.IPv6:
		return e.Underlay - vxlanIPv6
	default:
		return e.Underlay - vxlanIPv4
	}
}

// Candidate is a node, as far as it decides where the edge is.
type Candidate struct {
	Name string
	// Annotated is what the node's annotation l2sm.io/edge-address says.
	Annotated string
	// Tunnels are the addresses of its L2Node.
	Tunnels []string
}

// EdgeStatus is the status of the L2Edge, given the nodes that it picks and who holds the
// Lease, and of it what networks depend on. Public keys are the edges' to write: they are
// as they were.
func EdgeStatus(edge *v1alpha1.L2Edge, picked []Candidate, holder string) (v1alpha1.L2EdgeStatus, Edge) {
	slices.SortFunc(picked, func(a, b Candidate) int { return cmp.Compare(a.Name, b.Name) })
	picked = picked[:min(len(picked), maxNodes)]
	status := v1alpha1.L2EdgeStatus{Conditions: slices.Clone(edge.Status.Conditions)}
	for _, c := range picked {
		status.Nodes = append(status.Nodes, v1alpha1.EdgeNode{
			Name: c.Name, Address: addressOf(edge, c, len(picked)), PublicKeys: slices.Clone(nodeIn(edge.Status.Nodes, c.Name).PublicKeys),
		})
	}
	status.Active = active(status.Nodes, holder, edge.Status.Active)
	e := Edge{
		Wanted: true, Active: status.Active, Underlay: edge.Spec.MTU, Encryption: edge.Spec.Encryption,
		IPv6: slices.ContainsFunc(status.Nodes, func(n v1alpha1.EdgeNode) bool { return isIPv6(n.Address) }),
	}
	if e.Active == "" {
		e.Why = fmt.Sprintf("no node is the active edge; see L2Edge %q", edge.Name)
	}
	return status, e
}

// active is the holder of the Lease, if it is among the nodes. Else the one that was
// stays: what it carries goes on until another takes over, and there is another who may.
func active(nodes []v1alpha1.EdgeNode, holder, last string) string {
	switch {
	case slices.ContainsFunc(nodes, func(n v1alpha1.EdgeNode) bool { return n.Name == holder }):
		return holder
	case len(nodes) == 0:
		return ""
	default:
		return last
	}
}

// addressOf is the address at which peers reach the node's edge, empty where that is
// not known. What the node says itself goes first. Spec.address is of one node: of several it would be wrong for all but one.
func addressOf(edge *v1alpha1.L2Edge, node Candidate, nodes int) string {
	if address, ok := usable(node.Annotated); ok {
		return address
	}
	if address, ok := usable(edge.Spec.Address); ok && nodes == 1 {
		return address
	}
	for _, text := range node.Tunnels {
		if address, ok := usable(text); ok {
			return address
		}
	}
	return ""
}

// usable is the address in its usual form.
func usable(text string) (string, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || address.IsUnspecified() || address.IsMulticast() || address.IsLinkLocalUnicast() {
		return "", false
	}
	return address.Unmap().String(), true
}

// nodeIn is the node of that name, an empty one where there is none.
func nodeIn(nodes []v1alpha1.EdgeNode, name string) v1alpha1.EdgeNode {
	for _, n := range nodes {
		if n.Name == name {
			return n
		}
	}
	return v1alpha1.EdgeNode{}
}

func isIPv6(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is6()
}

// EdgeReady is the L2Edge's condition Ready.
func EdgeReady(encryption v1alpha1.Encryption, status v1alpha1.L2EdgeStatus) metav1.Condition {
	var names, standbys []string
	for _, n := range status.Nodes {
		names = append(names, n.Name)
		if n.Name != status.Active {
			standbys = append(standbys, n.Name)
		}
	}
	carrier := nodeIn(status.Nodes, status.Active)
	switch {
	case len(names) == 0:
		return v1alpha1.NoEdgeNode()
	case status.Active == "" || len(standbys) == len(names):
		return v1alpha1.AwaitsEdge(names)
	case carrier.Address == "":
		return v1alpha1.NoEdgeAddress(status.Active)
	case encryption == v1alpha1.EncryptionWireGuard && len(carrier.PublicKeys) == 0:
		return v1alpha1.AwaitsKeys(status.Active)
	}
	for _, other := range status.Nodes {
		if other.Name != carrier.Name && other.Address != "" && (other.Address == carrier.Address || isIPv6(other.Address) != isIPv6(carrier.Address)) {
			return v1alpha1.EdgesApart(carrier, other)
		}
	}
	return v1alpha1.EdgeReady(status.Active, standbys)
}
