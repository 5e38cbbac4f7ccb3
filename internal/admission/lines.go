package admission

import "k8s.io/apimachinery/pkg/types"

// queue says in which network's lines the attachment may wait.
func (l *Ledger) queue(owner, key types.NamespacedName) {
	l.mu.Lock()
	before, waits := l.lines[owner]
	l.mu.Unlock()
	if waits && before == key {
		return
	}
	l.Quit(owner)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[owner] = key
}

func (l *Ledger) leaveLine(owner types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lines, owner)
}

// Quit takes an attachment that asks for nothing any more out of the line that
// it waits in, and has another woken in its place where it was woken itself.
func (l *Ledger) Quit(owner types.NamespacedName) {
	l.mu.Lock()
	n := l.networks[l.lines[owner]]
	delete(l.lines, owner)
	l.mu.Unlock()
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pass(n.waiting.gone(owner))
}
