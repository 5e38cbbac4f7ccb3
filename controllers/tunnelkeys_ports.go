package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// portKeys are the keys that one attachment holds.
type portKeys struct {
	uid types.UID
	// held is a key on each network that the port is on, goes to, or may be on
	// record for.
	held []portKey
	// written is the version of the attachment that the last write of its network
	// or key asks for: as long as that is the newest seen, whether the write took
	// place is not known.
	written string
	waits   *networkKeys
}

type portKey struct {
	on  *networkKeys
	key int32
}

// port is the key of the attachment's port on the network, which it holds from now
// on: the one that it has, the one that it has on record, or the next. It is 0 as
// long as the network has no key itself, on record where agents go by that. The error is
// a Refusal.
func (k *tunnelKeys) port(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) (int32, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.networks[network.Key()]
	if n == nil || n.uid != network.UID {
		return 0, nil
	}
	if problem := k.problem(n); problem != nil {
		return 0, admission.Refuse(v1alpha1.NetworkHasNoKey(n.name, *problem))
	}
	recorded := network.Status.TunnelKey == n.key && network.Status.InForce != nil
	if n.key == 0 || !k.direct && !recorded {
		return 0, nil
	}
	p := k.portsOf(a)
	if p.waits != nil && p.waits != n {
		k.stopWaiting(a.Key(), p)
	}
	if held := p.on(n); held != 0 {
		return held, nil
	}
	key := k.take(n, recordedKey(a, n.name))
	if key == 0 {
		n.waiting.join(a.Key())
		p.waits = n
		return 0, admission.Refuse(v1alpha1.NoPortKey(n.name, k.ports.Size()))
	}
	n.waiting.leave(a.Key())
	p.waits = nil
	p.held = append(p.held, portKey{n, key})
	return key, nil
}

// recordedKey is the key that the attachment has on record for the network, 0 for
// none.
func recordedKey(a *v1alpha1.L2Attachment, network types.NamespacedName) int32 {
	if on, has := a.PortNetwork(); has && on == network {
		return a.Status.TunnelKey
	}
	return 0
}

// take has one of the network's keys be in use: the recorded one, or, where that is
// none or another's, the next. It is 0 where none is left.
func (k *tunnelKeys) take(n *networkKeys, recorded int32) int32 {
	if k.holdPort(n, recorded) {
		return recorded
	}
	key, _ := n.ports.Take()
	return key
}

// holdPort has a key on record be in use on the network, and says whether it may be
// and was not.
func (k *tunnelKeys) holdPort(n *networkKeys, recorded int32) bool {
	if n.ports == nil {
		n.ports = tunnelkey.New(k.ports, k.from(k.ports))
	}
	return recorded >= 1 && recorded <= tunnelkey.MaxPort && n.ports.Hold(recorded)
}

// portsOf is what the attachment holds. What another of its name held is free: a
// cache has shown that it is gone.
func (k *tunnelKeys) portsOf(a *v1alpha1.L2Attachment) *portKeys {
	p := k.held[a.Key()]
	if p != nil && p.uid != a.UID {
		k.release(a.Key(), p)
		p = nil
	}
	if p == nil {
		p = &portKeys{uid: a.UID}
		k.held[a.Key()] = p
	}
	return p
}

func (p *portKeys) on(n *networkKeys) int32 {
	for _, h := range p.held {
		if h.on == n {
			return h.key
		}
	}
	return 0
}

// sending notes that another network or key of the attachment is about to be
// written, if it still has its version then.
func (k *tunnelKeys) sending(a *v1alpha1.L2Attachment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.held[a.Key()]; p != nil && p.uid == a.UID {
		p.written = a.ResourceVersion
	}
}

// keep frees what the attachment holds on other networks than the one that it is to
// be on, if any, and the one that it has on record. It frees nothing, and says so,
// as long as another may be on record than a as the cache has it. waits says that
// the attachment was refused a key just now.
func (k *tunnelKeys) keep(a *v1alpha1.L2Attachment, on types.NamespacedName, waits bool) (settled bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.held[a.Key()]
	if p != nil && p.uid != a.UID {
		k.release(a.Key(), p) // a predecessor's
		return true
	}
	if p == nil {
		return true
	}
	if !waits {
		k.stopWaiting(a.Key(), p)
	}
	if p.written == a.ResourceVersion {
		return false
	}
	p.written = ""
	recorded, _ := a.PortNetwork()
	p.held = slices.DeleteFunc(p.held, func(h portKey) bool {
		if h.on.name == on || h.on.name == recorded {
			return false
		}
		k.free(h)
		return true
	})
	k.forgetPorts(a.Key(), p)
	return true
}

// attachmentGone takes back what an attachment had that the API does not have.
func (k *tunnelKeys) attachmentGone(owner types.NamespacedName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.held[owner]; p != nil {
		k.release(owner, p)
	}
}

func (k *tunnelKeys) release(owner types.NamespacedName, p *portKeys) {
	k.stopWaiting(owner, p)
	for _, h := range p.held {
		k.free(h)
	}
	p.held = nil
	k.forgetPorts(owner, p)
}

func (k *tunnelKeys) forgetPorts(owner types.NamespacedName, p *portKeys) {
	if len(p.held) == 0 && p.waits == nil {
		delete(k.held, owner)
	}
}

func (k *tunnelKeys) free(h portKey) {
	h.on.ports.Free(h.key)
	k.wakeNext(h.on, true)
	k.forget(h.on)
}

func (k *tunnelKeys) stopWaiting(owner types.NamespacedName, p *portKeys) {
	if n := p.waits; n != nil {
		p.waits = nil
		k.wakeNext(n, n.waiting.leave(owner))
		k.forget(n)
	}
}

// wakeNext wakes the next that waits for a key on the network, if one is free.
func (k *tunnelKeys) wakeNext(n *networkKeys, free bool) {
	if next, waits := n.waiting.next(free); waits {
		k.wake.attachments(next)
	}
}
