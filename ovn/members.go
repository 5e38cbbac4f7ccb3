package ovn

import (
	"slices"
	"sync"
)

// members are the UUIDs of the ports that a switch has. All copies of a row
// share them, so that a change costs what has changed: libovsdb copies the
// whole column several times at each change, and walks it once more, which is
// 10,000 elements for one more port among so many.
type members struct {
	mu   sync.RWMutex
	few  []rowID            // in no order
	many map[rowID]struct{} // instead, once there are more than maxFew
}

// maxFew is how many members are looked through one by one: a map takes more
// memory than so many.
const maxFew = 8

// toggle adds those that are not there and removes those that are: this is how
// ovsdb-server tells of changes to a set (ovsdb-server(7), update2).
func (m *members) toggle(ports []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, uuid := range ports {
		if id, is := parseUUID(uuid); is {
			m.toggleOne(id)
		}
	}
}

func (m *members) toggleOne(id rowID) {
	if m.many != nil {
		if _, has := m.many[id]; has {
			delete(m.many, id)
			return
		}
		m.many[id] = struct{}{}
		return
	}
	if at := slices.Index(m.few, id); at >= 0 {
		m.few = slices.Delete(m.few, at, at+1)
		return
	}
	if m.few = append(m.few, id); len(m.few) <= maxFew {
		return
	}
	m.many = make(map[rowID]struct{}, len(m.few))
	for _, id := range m.few {
		m.many[id] = struct{}{}
	}
	m.few = nil
}

func (m *members) has(port string) bool {
	id, is := parseUUID(port)
	if m == nil || !is {
		return false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, has := m.many[id]
	return has || slices.Contains(m.few, id)
}

func (m *members) len() int {
	if m == nil {
		return 0
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.few) + len(m.many)
}

// all returns a copy of them, in no order.
func (m *members) all() []string {
	if m == nil {
		return nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	uuids := make([]string, 0, len(m.few)+len(m.many))
	for _, id := range m.few {
		uuids = append(uuids, id.String())
	}
	for id := range m.many {
		uuids = append(uuids, id.String())
	}
	return uuids
}
