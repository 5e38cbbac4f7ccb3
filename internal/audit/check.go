package audit

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// Facts are what one look has seen.
type Facts struct {
	// Fabric says which databases hold the networks.
	Fabric v1alpha1.Fabric
	// MaxMTU is the largest that pods may have, in bytes.
	MaxMTU int32

	Networks    []v1alpha1.L2Network
	Attachments []v1alpha1.L2Attachment
	Pods        []corev1.Pod
	// Nodes are the names of those in the API.
	Nodes []string
	// Definitions are the NetworkAttachmentDefinitions that the controller
	// keeps, as network-status names them.
	Definitions []string
	// L2Nodes say which chassis a node is, and where its tunnels start. They are
	// read where each node has databases of its own.
	L2Nodes []v1alpha1.L2Node

	// Northbound and Southbound are the central databases', where there are any.
	Northbound ovn.Contents
	Southbound ovn.Bindings

	// Agents are what each node's agent says, by node: none where it was not
	// reached. It tells of the node's own databases too.
	Agents map[string]inventory.Node
	// Leaders are what those replicas of the controller say that lead.
	Leaders []inventory.Controller

	// Unseen is what could not be looked at.
	Unseen []Discrepancy
}

// Check finds what is not as it should be. It is pure. An attachment that has
// a network in its status and a pod has one port on that network's switch, one
// binding on its node's chassis, one port in that node's Open vSwitch with a
// host end, and its interface in the pod; another has none of these. Whatever
// belongs to no attachment should not be there.
func Check(f Facts) []Discrepancy {
	c := newCheck(f)
	looks := []func(){c.attachments, c.nodes, c.pods, c.leases, c.twice, c.keysTwice}
	if f.Fabric.Zoned() {
		looks = append(looks, c.zones)
	} else {
		looks = append(looks, c.central)
	}
	for _, look := range looks {
		look()
	}
	slices.SortFunc(c.found, func(a, b Discrepancy) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.What, b.What))
	})
	return slices.Compact(c.found) // nodes may tell of the same
}

type check struct {
	Facts
	networks map[types.NamespacedName]*v1alpha1.L2Network
	podsBy   map[types.NamespacedName]*corev1.Pod
	// ported are the attachments that have a port, by the network it is on.
	ported map[types.NamespacedName][]*v1alpha1.L2Attachment
	// kept are the names of Definitions.
	kept  map[string]bool
	found []Discrepancy
}

func newCheck(f Facts) *check {
	c := &check{
		Facts:    f,
		networks: map[types.NamespacedName]*v1alpha1.L2Network{},
		podsBy:   map[types.NamespacedName]*corev1.Pod{},
		ported:   map[types.NamespacedName][]*v1alpha1.L2Attachment{},
		kept:     map[string]bool{},
	}
	for _, name := range f.Definitions {
		c.kept[name] = true
	}
	for i := range f.Networks {
		c.networks[client.ObjectKeyFromObject(&f.Networks[i])] = &f.Networks[i]
	}
	for i := range f.Pods {
		c.podsBy[client.ObjectKeyFromObject(&f.Pods[i])] = &f.Pods[i]
	}
	for i := range f.Attachments {
		a := &f.Attachments[i]
		if network, has := c.portOn(a); has {
			c.ported[network] = append(c.ported[network], a)
		}
	}
	return c
}

// portOn is the network on which the attachment has a port, and whether it has one.
func (c *check) portOn(a *v1alpha1.L2Attachment) (types.NamespacedName, bool) {
	network, has := a.PortNetwork()
	if c.Fabric.Zoned() {
		_, has = topology.Placed(a)
	}
	return network, has && a.Bound()
}

// inForce is the network with the spec that is in force, nil where there is no
// such network, or no spec in force.
func (c *check) inForce(key types.NamespacedName) *v1alpha1.L2Network {
	if network := c.networks[key]; network != nil {
		return network.InForce()
	}
	return nil
}

func (c *check) report(where, what string, args ...any) {
	c.found = append(c.found, Discrepancy{Where: where, What: fmt.Sprintf(what, args...)})
}

// attachments looks at what the API says of them itself.
func (c *check) attachments() {
	for i := range c.Attachments {
		a := &c.Attachments[i]
		for _, what := range c.contradictions(a) {
			c.report("L2Attachment "+client.ObjectKeyFromObject(a).String(), "%s", what)
		}
	}
}

func (c *check) contradictions(a *v1alpha1.L2Attachment) []string {
	var all []string
	say := func(wrong bool, what string, args ...any) {
		if wrong {
			all = append(all, fmt.Sprintf(what, args...))
		}
	}
	network, has := a.PortNetwork()
	accepted := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	ready := meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady)
	say(accepted == nil, "the controller has not said whether it is Accepted")
	say(isAccepted(a) && !a.Complete(), "is Accepted without a MAC address")
	say(isAccepted(a) && a.Bound() && !has, "is Accepted and bound, but has no network in its status")
	say(isAccepted(a) && has && network != a.NetworkKey(), "is Accepted on %s, but its port is on %s", a.NetworkKey(), network)
	say(has && a.Status.TunnelKey == 0, "has a port on %s, but no tunnel key", network)
	say(has && !a.Bound(), "has a port on %s, but no pod", network)
	say(has && c.networks[network] == nil, "has its port on L2Network %s, which does not exist", network)
	say(ready && !has, "is Ready, but has no port")
	say(!ready && has, "is not Ready: %s", whyNotReady(a))
	say(a.Bound() && !slices.Contains(c.Nodes, a.Spec.NodeName), "is bound to node %s, which does not exist", a.Spec.NodeName)
	say(a.Bound() && !c.runs(a), "is bound to pod %s with UID %s on node %s, which does not run", a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName)
	return all
}

func isAccepted(a *v1alpha1.L2Attachment) bool {
	return meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionAccepted)
}

func whyNotReady(a *v1alpha1.L2Attachment) string {
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Message
	}
	return "its node's agent has said nothing"
}

// runs says whether the pod that the attachment is bound to has not ended.
func (c *check) runs(a *v1alpha1.L2Attachment) bool {
	pod := c.podsBy[types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.PodName}]
	return pod != nil && pod.UID == a.Spec.PodUID && pod.Spec.NodeName == a.Spec.NodeName && !attach.Ended(pod)
}

// things says how to compare things of one kind.
type things[T any] struct {
	// kind is what they are called, owner what each belongs to.
	kind, owner string
	// ownerOf is the owner of the one with that name, where it is another.
	ownerOf func(name string) (owner string, is bool)
	// name tells them apart.
	name func(T) string
	// differs says in what the second is not as the first.
	differs func(want, have T) []string
}

// compare pairs what should be there with what is there, both ways.
func compare[T any](c *check, t things[T], want, have []T) {
	there := map[string][]T{}
	for _, h := range have {
		there[t.name(h)] = append(there[t.name(h)], h)
	}
	for _, w := range want {
		name := t.name(w)
		where := t.kind + " " + name
		switch n := len(there[name]); n {
		case 0:
			c.report(where, "is missing")
		case 1:
			for _, what := range t.differs(w, there[name][0]) {
				c.report(where, "%s", what)
			}
		default:
			c.report(where, "is there %d times", n)
		}
		delete(there, name)
	}
	for name := range there {
		owner := t.owner
		if t.ownerOf != nil {
			if other, is := t.ownerOf(name); is {
				owner = other
			}
		}
		c.report(t.kind+" "+name, "belongs to no %s", owner)
	}
}

// unequal says that something is not what it should be.
func unequal[T comparable](what string, want, have T) []string {
	if want == have {
		return nil
	}
	return []string{fmt.Sprintf("%s is %q, want %q", what, fmt.Sprint(have), fmt.Sprint(want))}
}
