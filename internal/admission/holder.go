package admission

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// holder is where an attachment has its lease, and which attachment of that
// name it is: none yet while its write is pending. It is a value: its slices are
// never written to.
type holder struct {
	uid types.UID
	// seen says that a cache has shown the attachment: that it does not show it
	// any more is its end.
	seen bool
	// networks that it has a lease on: two while it moves, the one that it moves
	// to last.
	networks []types.NamespacedName
}

func (h holder) has(network types.NamespacedName) bool { return slices.Contains(h.networks, network) }

// on is the holder with its newest lease on the network.
func (h holder) on(network types.NamespacedName) holder {
	if last := len(h.networks) - 1; last >= 0 && h.networks[last] == network {
		return h
	}
	networks := slices.DeleteFunc(slices.Clone(h.networks), func(o types.NamespacedName) bool { return o == network })
	h.networks = append(networks, network) //nolint:gocritic // a clone: a holder's slices are never written to
	return h
}

// of is the holder as the attachment of that UID.
func (h holder) of(uid types.UID) holder {
	h.uid, h.seen = uid, uid != ""
	return h
}

func (l *Ledger) holder(owner types.NamespacedName) (holder, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, held := l.holders[owner]
	return h, held
}

// hold notes what the pod's attachment has, whose write is under way where it
// has no UID yet.
func (l *Ledger) hold(owner types.NamespacedName, h holder, pod types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders[owner] = h
	if h.uid == "" && pod != (types.NamespacedName{}) {
		l.pending.begin(owner, pod)
		return
	}
	l.pending.end(owner)
}

// release takes back all that the owner has.
func (l *Ledger) release(owner types.NamespacedName, h holder) {
	l.mu.Lock()
	delete(l.holders, owner)
	l.pending.end(owner)
	l.mu.Unlock()
	l.releaseOn(owner, h.networks)
}

// Cancel takes back what was taken for a write that was refused.
func (l *Ledger) Cancel(owner types.NamespacedName, uid types.UID) {
	defer l.turn(owner)()
	l.Quit(owner)
	if h, held := l.holder(owner); held && h.uid == uid {
		l.release(owner, h)
	}
}

// Withdraw takes back what an attachment had that is deleted or may not have it,
// and says whether it had anything. A later attachment of the same name keeps
// its own.
func (l *Ledger) Withdraw(a *v1alpha1.L2Attachment) bool {
	owner := a.Key()
	defer l.turn(owner)()
	h, held := l.holder(owner)
	another := h.uid != a.UID
	if h.uid == "" {
		another = !a.Complete() // a write that is pending is another's, unless this is what it wrote
	}
	if !held || another {
		return false
	}
	l.release(owner, h)
	return true
}

// Gone takes back what an attachment had that a cache has shown and shows no
// longer.
func (l *Ledger) Gone(owner types.NamespacedName) {
	defer l.turn(owner)()
	l.Quit(owner)
	if h, held := l.holder(owner); held && h.seen {
		l.release(owner, h)
	}
}

// Settle says that the attachment's port is on the network: what it had on
// others is free.
func (l *Ledger) Settle(network, owner types.NamespacedName, uid types.UID) {
	if h, held := l.holder(owner); !held || h.uid != uid || len(h.networks) < 2 {
		return // the common case: it did not move
	}
	defer l.turn(owner)()
	h, held := l.holder(owner)
	if held && h.uid == uid && h.networks[len(h.networks)-1] == network {
		l.keep(owner, h, network)
	}
}

// Keep takes back what the attachment has on other networks than these.
func (l *Ledger) Keep(a *v1alpha1.L2Attachment, on ...types.NamespacedName) {
	owner := a.Key()
	defer l.turn(owner)()
	if h, held := l.holder(owner); held && h.uid == a.UID {
		l.keep(owner, h, on...)
	}
}

func (l *Ledger) keep(owner types.NamespacedName, h holder, on ...types.NamespacedName) {
	others := func(network types.NamespacedName) bool { return !slices.Contains(on, network) }
	left := slices.DeleteFunc(slices.Clone(h.networks), func(n types.NamespacedName) bool { return !others(n) })
	if len(left) == len(h.networks) {
		l.release(owner, h)
		return
	}
	if len(left) == 0 {
		return
	}
	h.networks = slices.DeleteFunc(slices.Clone(h.networks), others)
	l.mu.Lock()
	l.holders[owner] = h
	l.mu.Unlock()
	l.releaseOn(owner, left)
}
