package admission

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// What a peer announces on a network is no attachment's here meanwhile:
//
//	asks for it              waits, as for what another attachment has
//	has it, and its pod runs keeps it: the edge follows no such route, but one may come late
//	has it, and no pod       keeps it, and rests: its next pod waits until it is withdrawn

// Announce puts what one L2Remote says in the place of what it said before, and
// wakes those that can have what nobody announces any more. It returns how much was
// left out, since it is more than a network may hold. An L2Remote that is gone says
// nothing.
func (l *Ledger) Announce(remote types.NamespacedName, network string, says ipam.Announced) (ignored int) {
	none := len(says.MACs)+len(says.Addresses) == 0
	l.mu.Lock()
	before, was := l.remotes[remote]
	if none {
		delete(l.remotes, remote)
	} else {
		l.remotes[remote] = network
	}
	l.mu.Unlock()
	if was && (none || before != network) {
		l.announce(remote, before, ipam.Announced{})
	}
	if none {
		return 0
	}
	return l.announce(remote, network, says)
}

func (l *Ledger) announce(remote types.NamespacedName, network string, says ipam.Announced) (ignored int) {
	key := types.NamespacedName{Namespace: remote.Namespace, Name: network}
	n := l.locked(key)
	freed, ignored := n.pool.Announce(remote.Name, says)
	n.withdrawn(freed)
	idle := n.idle()
	n.mu.Unlock()
	if idle {
		l.drop(key, n)
	}
	return ignored
}

// withdrawn has those woken that can have what no peer announces any more: the one
// that has it and rests, else the first that waits for it.
func (n *network) withdrawn(freed ipam.Freed) {
	if len(n.waiting.lines)+len(n.resting) == 0 {
		return
	}
	rests := map[string]bool{}
	var tokens []token
	for _, mac := range freed.MACs {
		if owner, leased := n.pool.OwnerOfMAC(mac); leased {
			rests[owner] = n.resting[owner]
			continue
		}
		tokens = append(tokens, macToken(mac))
	}
	for _, addr := range freed.Addresses {
		if owner, leased := n.pool.Owner(addr); leased {
			rests[owner] = n.resting[owner]
			continue
		}
		tokens = append(tokens, addressTokens(addr, n.pool.Config())...)
	}
	next := n.waiting.freed(tokens)
	for owner, is := range rests {
		if namespace, name, _ := strings.Cut(owner, "/"); is {
			next = append(next, types.NamespacedName{Namespace: namespace, Name: name})
		}
	}
	n.pass(next)
}

// rest notes whether a member has no pod that it is attached to.
func (n *network) rest(name string, rests bool) {
	switch {
	case rests && n.resting == nil:
		n.resting = map[string]bool{name: true}
	case rests:
		n.resting[name] = true
	default:
		delete(n.resting, name)
	}
	if len(n.resting) == 0 {
		n.resting = nil
	}
}

// attached says whether a member that has the lease may be attached to its pod, as far
// as other sides are concerned. One that has been stays.
func (n *network) attached(name string, a *v1alpha1.L2Attachment, lease ipam.Lease) error {
	if !a.Bound() {
		n.rest(name, true)
		return nil
	}
	if !n.resting[name] {
		return nil
	}
	if err := n.pool.Elsewhere(lease, ipam.Lease{}); err != nil {
		return &Refusal{Condition: v1alpha1.AddressElsewhere(err), Reserves: true}
	}
	n.rest(name, false)
	return nil
}

// awaitsPeer says whether the attachment was refused its pod, and nothing else, since
// a peer announces what it has.
func awaitsPeer(a *v1alpha1.L2Attachment) bool {
	said := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	return a.Bound() && said != nil && said.Status == metav1.ConditionFalse &&
		said.Reason == v1alpha1.ReasonAddressElsewhere && said.ObservedGeneration == a.Generation
}
