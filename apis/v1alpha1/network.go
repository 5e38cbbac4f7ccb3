package v1alpha1

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Key is the network's namespace and name.
func (n *L2Network) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: n.Namespace, Name: n.Name}
}

// NetworkSecurity is the port security of attachments that choose none: what
// the spec says, else Strict with ipam and MAC without.
func (n *L2Network) NetworkSecurity() PortSecurity {
	switch {
	case n.Spec.PortSecurity != "":
		return n.Spec.PortSecurity
	case n.Spec.IPAM == nil:
		return PortSecurityMAC
	default:
		return PortSecurityStrict
	}
}

// AllowsRole says whether attachments may have the role: those of the spec, else
// none with ipam, which makes the network's owner the one who gives addresses
// and routes, and all without.
func (n *L2Network) AllowsRole(role Role) bool {
	if n.Spec.AllowedRoles == nil {
		return n.Spec.IPAM == nil
	}
	return slices.Contains(*n.Spec.AllowedRoles, role)
}

// InForce is the network with the spec that is in force in place of the one
// that is asked for. Where the status records none, a spec that was accepted in
// its present generation is in force. It is nil where no spec is: then the one
// asked for is to be judged as a new one. The result shares what it does not
// replace with n: it is for reading.
func (n *L2Network) InForce() *L2Network {
	network := *n
	if n.Status.InForce != nil {
		network.Spec = *n.Status.InForce
		return &network
	}
	accepted := meta.FindStatusCondition(n.Status.Conditions, ConditionAccepted)
	if accepted == nil || accepted.Status != metav1.ConditionTrue || accepted.ObservedGeneration != n.Generation {
		return nil
	}
	return &network
}

// defaultMaxAttachments is the default of allowedNamespaces.maxAttachments.
const defaultMaxAttachments = 256

// MaxAttachments is how many attachments each guest namespace may have.
func (n *L2Network) MaxAttachments() int {
	if most := n.Spec.AllowedNamespaces.MaxAttachments; most > 0 {
		return int(most)
	}
	return defaultMaxAttachments
}

// edgeSuffix ends what stands for the edge's port of a network where others have an
// attachment. No attachment is called so.
const edgeSuffix = "/edge"

// EdgeOf is what stands for the edge's port of the network where others have an
// attachment: PortOf gives the port's name, l2sm/<namespace>/<network>/edge.
func EdgeOf(network types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: network.Namespace, Name: network.Name + edgeSuffix}
}

// NetworkOfEdge is the network that EdgeOf was asked for, if the owner of a port is what
// it returns.
func NetworkOfEdge(owner types.NamespacedName) (types.NamespacedName, bool) {
	name, is := strings.CutSuffix(owner.Name, edgeSuffix)
	return types.NamespacedName{Namespace: owner.Namespace, Name: name}, is
}

// IsEdge says whether the owner of a port is what EdgeOf returns.
func IsEdge(owner types.NamespacedName) bool { return strings.HasSuffix(owner.Name, edgeSuffix) }

// NetworkOfEdgePort is the namespace and name of the network whose edge's port has the
// name.
func NetworkOfEdgePort(port string) (types.NamespacedName, bool) {
	name, is := strings.CutSuffix(port, edgeSuffix)
	if !is {
		return types.NamespacedName{}, false
	}
	return AttachmentOfPort(name)
}

// Goes says whether the network goes on in other clusters, with an edge that carries
// it.
func (s *StretchStatus) Goes() bool { return s != nil && s.ID != 0 && s.Chassis != "" }
