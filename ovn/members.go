package ovn

import (
	"maps"
	"slices"
	"sync"
)

// members are the UUIDs of the ports that a switch has. All copies of a row
// share them, so that a change costs what has changed: libovsdb copies the
// whole column several times at each change, and walks it once more, which is
// 10,000 elements for one more port among so many.
type members struct {
	mu  sync.RWMutex
	set map[string]struct{}
}

// toggle adds those that are not there and removes those that are: this is how
// ovsdb-server tells of changes to a set (ovsdb-server(7), update2).
func (m *members) toggle(ports []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil {
		m.set = make(map[string]struct{}, len(ports))
	}
	for _, uuid := range ports {
		if _, has := m.set[uuid]; has {
			delete(m.set, uuid)
			continue
		}
		m.set[uuid] = struct{}{}
	}
}

func (m *members) has(port string) bool {
	if m == nil {
		return false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, has := m.set[port]
	return has
}

func (m *members) len() int {
	if m == nil {
		return 0
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.set)
}

// all returns a copy of them, in no order.
func (m *members) all() []string {
	if m == nil {
		return nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Collect(maps.Keys(m.set))
}
