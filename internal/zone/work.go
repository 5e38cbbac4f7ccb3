package zone

import (
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// work is what a write of a network has to do: all of it, or what has changed.
type work struct {
	whole   bool
	set     []*port
	remove  []types.NamespacedName
	leaving []types.NamespacedName
}

func (w work) empty() bool { return !w.whole && len(w.set)+len(w.remove) == 0 }

// compare has the network compared with the database as a whole by its next write.
func (t *table) compare(network types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.networks[network]; m != nil {
		m.whole = true
	}
}

// attached is the attachment if it has a port, and whether that is one of this node.
func (t *table) attached(attachment types.NamespacedName) (a *v1alpha1.L2Attachment, local bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.ports[attachment]; p != nil {
		return p.attachment, p.local
	}
	return nil, false
}

// rewrite has an attachment's port written again, and returns its network: none where
// it has no port.
func (t *table) rewrite(attachment types.NamespacedName) []types.NamespacedName {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.ports[attachment]
	if p == nil {
		return nil
	}
	t.of(p.network).changed[attachment] = true
	return []types.NamespacedName{p.network}
}

// begin takes what there is to write of a network. The caller says how it went.
func (t *table) begin(network types.NamespacedName, whole bool) work {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.of(network)
	w := work{whole: whole || m.whole}
	if w.whole {
		for _, p := range m.ports {
			w.set = append(w.set, p)
		}
		for key := range m.leaving {
			w.leaving = append(w.leaving, key)
		}
	}
	for key := range m.changed {
		p := m.ports[key]
		switch {
		case p == nil:
			w.remove = append(w.remove, key)
		case !w.whole:
			w.set = append(w.set, p)
		}
	}
	m.whole, m.changed = false, map[types.NamespacedName]bool{}
	return w
}

// done says that the work is committed, and returns the networks that have lost
// ports by it: the switch of one may go.
func (t *table) done(network types.NamespacedName, w work) (lost []types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range w.set {
		key := p.attachment.Key()
		if now := t.ports[key]; now == nil || now.network != network {
			continue // it went on meanwhile, and what that takes is marked
		}
		for _, old := range t.left[key] {
			if m := t.networks[old]; m != nil && m.leaving[key] {
				delete(m.leaving, key)
				m.changed[key] = true // for what is expected there
				lost = append(lost, old)
			}
		}
		delete(t.left, key)
	}
	return lost
}

// failed says that the work has to be done again.
func (t *table) failed(network types.NamespacedName, w work) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.of(network)
	m.whole = m.whole || w.whole
	for _, p := range w.set {
		if key := p.attachment.Key(); !m.leaving[key] {
			m.changed[key] = true
		}
	}
	for _, key := range w.remove {
		m.changed[key] = true
	}
}

// vacant says whether the network has no port, and none that another takes over.
func (t *table) vacant(network types.NamespacedName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.networks[network]
	return m == nil || !m.here() && len(m.leaving) == 0
}

func portNames(keys []types.NamespacedName) []string {
	var all []string
	for _, key := range keys {
		all = append(all, v1alpha1.PortOf(key))
	}
	return all
}
