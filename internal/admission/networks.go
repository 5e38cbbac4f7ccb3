package admission

import "k8s.io/apimachinery/pkg/types"

// locked is the network, which the caller unlocks. A network that was dropped
// before it was locked is not the ledger's any more: what would be taken of it
// would be given out a second time.
func (l *Ledger) locked(key types.NamespacedName) *network {
	for {
		n := l.network(key)
		n.mu.Lock()
		if !n.dropped {
			return n
		}
		n.mu.Unlock()
	}
}

func (l *Ledger) network(key types.NamespacedName) *network {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.networks[key]
	if n == nil {
		n = newNetwork(key, &l.wake)
		l.networks[key] = n
	}
	return n
}

func (l *Ledger) releaseOn(owner types.NamespacedName, networks []types.NamespacedName) {
	for _, key := range networks {
		l.mu.Lock()
		n := l.networks[key]
		l.mu.Unlock()
		if n == nil {
			continue
		}
		if n.release(owner) {
			l.drop(key, n)
		}
	}
}

// drop forgets a network that the API does not have, and of which nothing
// is held.
func (l *Ledger) drop(key types.NamespacedName, n *network) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.networks[key] == n && n.drop() {
		delete(l.networks, key)
	}
}
