// Package stretch decides which networks go on in other clusters, behind which peers,
// and which node carries them. Its functions are pure: what they need is gathered by
// their callers.
package stretch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Facts are what it depends on whether a network goes on.
type Facts struct {
	// Network with the spec in force, which has spec.stretch.
	Network *v1alpha1.L2Network
	// Namespace are the labels of its namespace.
	Namespace labels.Set
	// Peers by name: those of spec.stretch that there are.
	Peers map[string]*v1alpha1.L2Peer
	// Edge is what carries it.
	Edge   Edge
	Fabric v1alpha1.Fabric
	// MTU of the network, in bytes.
	MTU int32
}

// Decision is what is in force of a network's spec.stretch.
type Decision struct {
	// ID that it may go on with; zero where it may go on nowhere, for the reason Lacks.
	ID int32
	// Chassis is the node whose edge carries it.
	Chassis string
	// MTU of the network here, in bytes.
	MTU int32
	// Peers in force, in the order of names.
	Peers []string
	// Lacks is what keeps it from peers of the spec, nil where nothing does.
	Lacks *metav1.Condition
}

// Decide says whether the network may go on, and behind which peers. It does not know
// of other networks: whose the id is, its caller decides.
func Decide(f Facts) Decision {
	if f.Fabric == v1alpha1.FabricOVNKubernetes {
		return refused(v1alpha1.FabricNotSupported(f.Fabric))
	}
	d := Decision{}
	d.Peers, d.Lacks = f.allowed()
	if len(d.Peers) == 0 {
		return Decision{Lacks: d.Lacks}
	}
	if f.Edge.Active == "" {
		return refused(v1alpha1.NoEdge(f.Edge.Why))
	}
	if most := f.Edge.MTU(); f.MTU > most {
		return refused(v1alpha1.MTUTooLargeToStretch(f.MTU, most))
	}
	d.ID, d.Chassis, d.MTU = f.Network.Spec.Stretch.ID, f.Edge.Active, f.MTU
	return d
}

// Agreed says whether owner and administrator want the network to go on behind the peer.
// It may be that nothing carries it at the moment: that takes no consent back.
func Agreed(f Facts, peer string) bool {
	if f.Fabric == v1alpha1.FabricOVNKubernetes || !f.Edge.Wanted {
		return false
	}
	peers, _ := f.allowed()
	return slices.Contains(peers, peer)
}

func refused(why metav1.Condition) Decision { return Decision{Lacks: &why} }

// allowed are the peers that let the network go on, and what is to be said of the
// others: a refusal before one that is not there.
func (f Facts) allowed() (peers []string, lacks *metav1.Condition) {
	var missing, refusals []string
	for _, name := range slices.Sorted(slices.Values(f.Network.Spec.Stretch.Peers)) {
		peer := f.Peers[name]
		if peer == nil || !peer.DeletionTimestamp.IsZero() {
			missing = append(missing, fmt.Sprintf("there is no L2Peer %q, which the administrator makes", name))
			continue
		}
		if why := f.refusedBy(peer); why != "" {
			refusals = append(refusals, why)
			continue
		}
		peers = append(peers, name)
	}
	switch {
	case len(refusals) > 0:
		c := v1alpha1.NetworkNotStretched(v1alpha1.ReasonNotAllowed, strings.Join(append(refusals, missing...), "; "))
		lacks = &c
	case len(missing) > 0:
		c := v1alpha1.NetworkNotStretched(v1alpha1.ReasonAwaitsPeer, strings.Join(missing, "; "))
		lacks = &c
	}
	return peers, lacks
}

// refusedBy is why the peer does not let the network go on, empty where it does.
func (f Facts) refusedBy(peer *v1alpha1.L2Peer) string {
	id := f.Network.Spec.Stretch.ID
	if !slices.ContainsFunc(peer.Spec.VNIs, func(r v1alpha1.VNIRange) bool { return r.First <= id && id <= r.Last }) {
		return fmt.Sprintf("L2Peer %q does not allow id %d; its spec.vnis are %s", peer.Name, id, ranges(peer.Spec.VNIs))
	}
	selects, err := metav1.LabelSelectorAsSelector(&peer.Spec.Namespaces)
	if err != nil {
		return fmt.Sprintf("L2Peer %q has a selector of namespaces that can't be read: %v", peer.Name, err)
	}
	if !selects.Matches(f.Namespace) {
		return fmt.Sprintf("L2Peer %q does not allow networks of namespace %q; see its spec.namespaces", peer.Name, f.Network.Namespace)
	}
	return ""
}

func ranges(vnis []v1alpha1.VNIRange) string {
	var all []string
	for _, r := range vnis {
		all = append(all, fmt.Sprintf("%d-%d", r.First, r.Last))
	}
	return strings.Join(all, ", ")
}

// Status is what a network's status says of the decision, and condition Stretched, given
// what the peers have said last.
func (d Decision) Status(network types.NamespacedName, peers map[string]*v1alpha1.L2Peer) (*v1alpha1.StretchStatus, metav1.Condition) {
	if d.ID == 0 {
		return nil, *d.Lacks
	}
	status := &v1alpha1.StretchStatus{ID: d.ID, Chassis: d.Chassis}
	said := make([]v1alpha1.PeerNetwork, len(d.Peers))
	var awaited []string
	for i, name := range d.Peers {
		announced, joined := Announced(peers[name], d.ID, network)
		said[i] = announced
		status.Peers = append(status.Peers, v1alpha1.StretchPeer{Name: name, Joined: joined, MACs: announced.MACs})
		if !joined {
			awaited = append(awaited, awaits(name, peers[name], d.ID))
		}
	}
	return status, d.condition(said, awaited)
}

// Announced is the network as the peer announces it, and whether it does.
func Announced(peer *v1alpha1.L2Peer, id int32, network types.NamespacedName) (v1alpha1.PeerNetwork, bool) {
	if peer == nil {
		return v1alpha1.PeerNetwork{}, false
	}
	i := slices.IndexFunc(peer.Status.Networks, func(n v1alpha1.PeerNetwork) bool {
		return n.ID == id && n.Namespace == network.Namespace && n.Name == network.Name
	})
	if i < 0 {
		return v1alpha1.PeerNetwork{}, false
	}
	return peer.Status.Networks[i], true
}

// awaits is what a peer that allows the network lacks.
func awaits(name string, peer *v1alpha1.L2Peer, id int32) string {
	var ready *metav1.Condition
	if peer != nil {
		ready = meta.FindStatusCondition(peer.Status.Conditions, v1alpha1.ConditionReady)
	}
	switch {
	case ready == nil:
		return fmt.Sprintf("the edge has not reported of L2Peer %q yet", name)
	case ready.Status != metav1.ConditionTrue:
		return fmt.Sprintf("L2Peer %q: %s", name, ready.Message)
	default:
		return fmt.Sprintf("L2Peer %q does not announce id %d: the network's owner and the administrator of that side have to want it too", name, id)
	}
}

// condition is Stretched of a network that goes on behind some peers, which have said
// this of it: the one that keeps it from most comes first.
func (d Decision) condition(said []v1alpha1.PeerNetwork, awaited []string) metav1.Condition {
	if d.Lacks != nil {
		c := *d.Lacks
		c.Message = strings.Join(append([]string{c.Message}, awaited...), "; ")
		return c
	}
	if len(awaited) > 0 {
		return v1alpha1.NetworkNotStretched(v1alpha1.ReasonAwaitsPeer, strings.Join(awaited, "; "))
	}
	for i, n := range said {
		if n.MTU != 0 && n.MTU != d.MTU {
			return v1alpha1.MTUDiffers(d.Peers[i], n.MTU, d.MTU)
		}
	}
	for i, n := range said {
		if n.Conflict != "" {
			return v1alpha1.NetworkStretchedBut(v1alpha1.ReasonAddressConflict,
				fmt.Sprintf("L2Peer %q announces %s, which a pod here has: the pod here keeps it; the sides' spec.ipam.ranges must be apart", d.Peers[i], n.Conflict))
		}
	}
	for i, n := range said {
		if n.Refused > 0 {
			return v1alpha1.NetworkStretchedBut(v1alpha1.ReasonTooManyMACs,
				fmt.Sprintf("L2Peer %q announces more MAC addresses than its spec.maxMACs allows; left out, with frames to them flooded: %d", d.Peers[i], n.Refused))
		}
	}
	return v1alpha1.NetworkStretched(d.ID, d.Peers)
}

// Changed are the networks of which a peer says something else than before, in the order
// of their ids.
func Changed(was, is *v1alpha1.L2Peer) []types.NamespacedName {
	before := map[int32]v1alpha1.PeerNetwork{}
	for _, n := range was.Status.Networks {
		before[n.ID] = n
	}
	var changed []v1alpha1.PeerNetwork
	for _, n := range is.Status.Networks {
		old, had := before[n.ID]
		delete(before, n.ID)
		if old == n {
			continue
		}
		changed = append(changed, n)
		if had && keyOf(old) != keyOf(n) {
			changed = append(changed, old)
		}
	}
	for _, gone := range before {
		changed = append(changed, gone)
	}
	slices.SortFunc(changed, func(a, b v1alpha1.PeerNetwork) int { return cmp.Compare(a.ID, b.ID) })
	var keys []types.NamespacedName
	for _, n := range changed {
		keys = append(keys, keyOf(n))
	}
	return keys
}

func keyOf(n v1alpha1.PeerNetwork) types.NamespacedName {
	return types.NamespacedName{Namespace: n.Namespace, Name: n.Name}
}

// Elder says whether the first network comes before the second where both want an id
// that is free.
func Elder(a, b *v1alpha1.L2Network) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID))
}
