package ovn

import (
	"slices"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/model"
)

// strays finds those rows of a network that its key does not lead to: rows that
// somebody made, or that carry the network's name and nothing of ours. All
// others have the UUID that follows from their network, so no index of them is
// needed; libovsdb's take 250 bytes a row. There are few strays, except in a
// database that another program filled.
//
// Rows that are for one port each are listed here too, in a place of their own:
// the network's key does not say which ports have one.
//
// An event tells of a stray shortly after the replica has it.
type strays struct {
	mu   sync.Mutex
	rows map[place][]string // UUIDs
}

// place is where rows are looked for: the table and the network, and whether
// they have the UUIDs that follow from a port each.
type place struct {
	table string
	key   Key
	ports bool
}

// straysIn listens to what happens in the replica, and finds what is there.
func straysIn(c *cache.TableCache, kinds []kind) *strays {
	s := &strays{rows: map[place][]string{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(table string, row model.Model) { s.event(table, nil, row) },
		UpdateFunc: s.event,
		DeleteFunc: func(table string, row model.Model) { s.event(table, row, nil) },
	})
	for _, k := range kinds {
		table := k.replicated().table
		for _, row := range c.Table(table).RowsShallow() {
			s.add(table, row)
		}
	}
	return s
}

func (s *strays) event(table string, old, row model.Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		s.remove(table, old)
	}
	if row != nil {
		s.add(table, row)
	}
}

func (s *strays) add(table string, row model.Model) {
	at, uuid, is := stray(table, row)
	if is && !slices.Contains(s.rows[at], uuid) {
		s.rows[at] = append(s.rows[at], uuid)
	}
}

func (s *strays) remove(table string, row model.Model) {
	at, uuid, is := stray(table, row)
	if !is {
		return
	}
	left := slices.DeleteFunc(s.rows[at], func(other string) bool { return other == uuid })
	s.rows[at] = left
	if len(left) == 0 {
		delete(s.rows, at)
	}
}

// of returns the UUIDs of the strays of a network in a table.
func (s *strays) of(at place) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows[at])
}

// stray says whether the row is a stray, and where it is looked for.
func stray(table string, row model.Model) (at place, uuid string, is bool) {
	identities := identitiesOf[table]
	if len(identities) == 0 {
		return place{}, "", false
	}
	l := kindOf[table].labels(row)
	key, ok := l.owner()
	if !ok {
		return place{}, "", false
	}
	if l.port != "" && l.uuid == derivedUUID(table, key, identityOfPort(l.port), 0) {
		return place{table, key, true}, l.uuid, true
	}
	for _, what := range identities {
		if l.uuid == derivedUUID(table, key, what, 0) {
			return place{}, "", false
		}
	}
	return place{table, key, false}, l.uuid, true
}
