package admission

import (
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
	"l2sm.io/l2sm/internal/turn"
)

// ErrBehind says that an attachment's last change has not reached the cache
// yet. It is over in milliseconds, unless something holds the object.
var ErrBehind = errors.New("the attachment's last change has not reached the cache yet")

// Ledger has the MAC and IP addresses of all networks and who has them. A lease
// is taken here before the API write that records it, so two reconciles never
// give out one address:
//
//	Take ──> pending ── Confirm ──> held ── Withdraw (the attachment is gone, or is shut out) ──> free
//	            └────── Cancel (the write was refused), Forget (its pod is gone) ─────────────────^
//
// An attachment that moves has its lease on both networks until its port is on
// the new one: Take takes the new one, Settle releases the others.
//
// Each network has a lock of its own; what all share is locked for a map's
// lookup only.
type Ledger struct {
	cluster Cluster
	wake    Wake

	mu       sync.Mutex
	networks map[types.NamespacedName]*network
	holders  map[types.NamespacedName]holder // by attachment
	pending  pending
	// lines has the network that an attachment was refused by, where it may wait.
	lines map[types.NamespacedName]types.NamespacedName
	// remotes has the network that an L2Remote is of.
	remotes map[types.NamespacedName]string

	turns *turn.Turns // by attachment
}

// Wake is how a Ledger has attachments and networks looked at again: those that
// waited for what was released, and networks whose spec can come into force now
// or whose deletion waited. Members tells of networks that have one member more
// or less. None of them may block.
type Wake struct {
	Attachments func(...types.NamespacedName)
	Networks    func(...types.NamespacedName)
	Members     func(...types.NamespacedName)
}

// NewLedger returns an empty ledger of a cluster's networks.
func NewLedger(cluster Cluster, wake Wake) *Ledger {
	return &Ledger{
		cluster:  cluster,
		wake:     wake,
		networks: map[types.NamespacedName]*network{},
		holders:  map[types.NamespacedName]holder{},
		lines:    map[types.NamespacedName]types.NamespacedName{},
		remotes:  map[types.NamespacedName]string{},
		turns:    turn.New(),
	}
}

// Ask is what an attachment, as it is or as it is about to be written, asks of a
// network.
type Ask struct {
	// Network as the API has it: the ledger knows what is in force of it.
	Network    *v1alpha1.L2Network
	Attachment *v1alpha1.L2Attachment // its UID is empty as long as it does not exist
	Surroundings
	// Request is what it asks for where its spec does not record all of it yet.
	Request ipam.Request
}

// Taken is what an attachment has on a network.
type Taken struct {
	ipam.Lease
	// Network has its spec in force in place of the one that is asked for. It is
	// there with a Refusal, too, but where no spec is in force.
	Network *v1alpha1.L2Network
}

// Take decides whether the attachment may be on the network and takes the MAC
// and addresses that it asks for, or has on record, in one step. What it has
// there already it keeps. A [Refusal] says why not, and the attachment is woken
// when what it lacks may be there.
func (l *Ledger) Take(ask Ask) (Taken, error) {
	owner, uid := ask.Attachment.Key(), ask.Attachment.UID
	defer l.turn(owner)()
	key := ask.Network.Key()
	h, held := l.holder(owner)
	if held && h.uid != "" && h.uid != uid {
		if uid == "" {
			return Taken{}, ErrBehind
		}
		l.release(owner, h) // a predecessor's of this name: the cache shows that it is gone
		h = holder{}
	}
	if held && h.uid == "" && !h.has(key) {
		l.release(owner, h) // the pod asks for another network by now
		h = holder{}
	}
	l.queue(owner, key)
	taken, err := l.admit(ask, h, (*network).take)
	if err == nil {
		l.leaveLine(owner)
	}
	return taken, err
}

// Hold is Take on a network that the attachment is to stay on while it waits for
// another: its place in the other's line is kept.
func (l *Ledger) Hold(ask Ask) (Taken, error) {
	owner := ask.Attachment.Key()
	defer l.turn(owner)()
	h, _ := l.holder(owner)
	return l.admit(ask, h, (*network).stay)
}

// admit has the network decide, and notes what its holder has there then.
func (l *Ledger) admit(ask Ask, h holder, decide func(*network, types.NamespacedName, Ask, Cluster) (Taken, error)) (Taken, error) {
	key, owner := ask.Network.Key(), ask.Attachment.Key()
	taken, err := l.decided(key, func(n *network) (Taken, error) { return decide(n, owner, ask, l.cluster) })
	if err == nil {
		l.hold(owner, h.on(key).of(ask.Attachment.UID), ask.Attachment.PodKey())
	}
	return taken, err
}

func (l *Ledger) decided(key types.NamespacedName, decide func(*network) (Taken, error)) (Taken, error) {
	n := l.locked(key)
	defer n.mu.Unlock()
	return decide(n)
}

// turn has the caller be the only one that works on the attachment.
func (l *Ledger) turn(owner types.NamespacedName) (done func()) { return l.turns.Take(owner) }
