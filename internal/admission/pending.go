package admission

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// pending are the attachments whose write is under way: few of all that hold
// something. The zero value has none.
type pending struct {
	pods map[types.NamespacedName]types.NamespacedName   // by attachment
	by   map[types.NamespacedName][]types.NamespacedName // attachments by pod
}

func (p *pending) begin(owner, pod types.NamespacedName) {
	p.end(owner)
	if p.pods == nil {
		p.pods, p.by = map[types.NamespacedName]types.NamespacedName{}, map[types.NamespacedName][]types.NamespacedName{}
	}
	p.pods[owner] = pod
	p.by[pod] = append(p.by[pod], owner)
}

// end says that the write of the attachment is not under way.
func (p *pending) end(owner types.NamespacedName) {
	pod, is := p.pods[owner]
	if !is {
		return
	}
	delete(p.pods, owner)
	p.by[pod] = slices.DeleteFunc(p.by[pod], func(o types.NamespacedName) bool { return o == owner })
	if len(p.by[pod]) == 0 {
		delete(p.by, pod)
	}
}

// Confirm says that the attachment which a lease was taken for is written.
func (l *Ledger) Confirm(owner types.NamespacedName, uid types.UID) {
	defer l.turn(owner)()
	if h, held := l.holder(owner); held && h.uid == "" {
		h.uid = uid
		l.hold(owner, h, types.NamespacedName{})
	}
}

// Forget takes back what was taken for a pod that is gone and never confirmed:
// the outcome of the write is unknown, and it is not tried again.
func (l *Ledger) Forget(pod types.NamespacedName) {
	l.mu.Lock()
	all := slices.Clone(l.pending.by[pod])
	l.mu.Unlock()
	for _, owner := range all {
		done := l.turn(owner)
		if h, held := l.holder(owner); held && l.writes(owner, pod) {
			l.release(owner, h)
		}
		done()
	}
}

// writes says whether the write of the pod's attachment is under way.
func (l *Ledger) writes(owner, pod types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.pending.by[pod], owner)
}
