package admission

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// vlinkEndpoints is how many attachments a vlink has.
const vlinkEndpoints = 2

// Surroundings are what the decision about an attachment depends on beside the
// attachment and its network.
type Surroundings struct {
	// Labels are those of the attachment's namespace.
	Labels labels.Set
	// NetworkGoes says that the network's namespace is being deleted, and the
	// network with it whatever is attached.
	NetworkGoes bool
}

// Members are a network's attachments as far as the decision about one of them
// depends on them.
type Members interface {
	// Has says whether the attachment is a member already.
	Has(attachment types.NamespacedName) bool
	// Len is the number of members.
	Len() int
	// Guests is the number of members from the namespace.
	Guests(namespace string) int
	// Names are the first few members.
	Names() []string
}

// May says whether an attachment may be on a network, which has its spec in
// force. It decides for one that asks to join, for one that is a member, and for
// one that a restart finds: nil, or a [Refusal]. Addresses are the pool's to
// decide, in the same step.
func May(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, s Surroundings, members Members) error {
	key := network.Key()
	guest := a.Namespace != network.Namespace
	deleting := !network.DeletionTimestamp.IsZero()
	member := members.Has(a.Key())
	switch {
	case s.NetworkGoes:
		return Refuse(v1alpha1.NetworkDetached(key))
	case deleting && (guest || !member):
		// The owner's network empties when he deletes it, whatever guests do.
		return Refuse(v1alpha1.NetworkGoing(key))
	case guest && !Lets(network, s.Labels):
		return Refuse(v1alpha1.NotAllowed(key, a.Namespace))
	case overrides(network, a):
		return &Refusal{Condition: v1alpha1.OverrideNotAllowed(key, a.Spec.PortSecurity), Keeps: member}
	case forbidden(network, a) != "":
		return &Refusal{Condition: v1alpha1.RoleNotAllowed(key, forbidden(network, a)), Keeps: member}
	case member:
		return nil
	case network.Spec.Type == v1alpha1.VLink && members.Len() >= vlinkEndpoints:
		return refuseFor(token{"end", ""}, v1alpha1.LinkFull(key, members.Names()))
	case guest && members.Guests(a.Namespace) >= network.MaxAttachments():
		return refuseFor(token{"guest", a.Namespace}, v1alpha1.TooManyAttachments(key, a.Namespace, network.MaxAttachments()))
	default:
		return nil
	}
}

// Lets says whether the network lets the pods of a namespace in that is not its
// own. Its own is always let in: who may write the network may attach to it.
func Lets(network *v1alpha1.L2Network, namespace labels.Set) bool {
	switch allowed := network.Spec.AllowedNamespaces; allowed.From {
	case v1alpha1.NamespacesFromAll:
		return true
	case v1alpha1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
		return err == nil && selector.Matches(namespace)
	default:
		return false
	}
}

// overrides says whether the attachment asks for a port security that the
// network does not give it.
func overrides(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) bool {
	asked := a.Spec.PortSecurity
	return asked != "" && asked != network.NetworkSecurity() && !network.Spec.AllowPortSecurityOverride
}

// forbidden is the first role that the attachment asks for and the network does
// not give, empty where there is none.
func forbidden(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) v1alpha1.Role {
	for _, role := range a.Spec.Roles {
		if !network.AllowsRole(role) {
			return role
		}
	}
	return ""
}
