package ovn

import (
	"sync"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/model"
)

// Change tells that the database is, or may be, no longer as it was applied.
type Change struct {
	// Key is the network whose rows differ from what was last applied, or that
	// has rows though it was never applied.
	Key Key

	// All says that any network may differ: the client has connected, perhaps
	// to another server or to an empty database. Key is zero.
	All bool
}

// changes finds out which networks are no longer as they were applied. Events
// only say which rows to look at: [Diff] compares these, and no others, with
// what was applied, so that a client's own writes do not come back to it as
// changes, and cost as much as they changed.
type changes struct {
	out chan Change

	mu       sync.Mutex
	expected expected
	writes   map[Key]int       // how many are under way
	suspects map[Key]suspicion // to be looked at
	all      bool              // a connection was made
	wake     chan struct{}     // has room for one
}

func newChanges() *changes {
	return &changes{
		out:      make(chan Change),
		expected: newExpected(),
		writes:   map[Key]int{},
		suspects: map[Key]suspicion{},
		wake:     make(chan struct{}, 1),
	}
}

// expect notes what the network must be like from now on. The caller calls the
// returned function when that is written: it is not looked at before.
func (c *changes) expect(n Network) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begin(c.expected.replace(n))
}

// expectPorts is expect for some of a network's ports.
func (c *changes) expectPorts(ch PortChanges) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begin(c.expected.change(ch))
}

// forget is expect for a network that must be gone.
func (c *changes) forget(key Key) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected.forget(key)
	return c.begin([]Key{key})
}

func (c *changes) begin(keys []Key) func() {
	for _, key := range keys {
		c.writes[key]++
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, key := range keys {
			if c.writes[key]--; c.writes[key] == 0 {
				delete(c.writes, key)
			}
		}
		c.signal()
	}
}

// doubt has the network reported.
func (c *changes) doubt(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suspect(key, suspicion{certain: true})
}

// watch listens to what happens in a new session.
func (c *changes) watch(s *session) {
	s.cache.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(table string, row model.Model) { c.event(table, row) },
		UpdateFunc: func(table string, old, row model.Model) { c.event(table, old, row) },
		DeleteFunc: func(table string, row model.Model) { c.event(table, row) },
	})

	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = true
	clear(c.suspects)
	c.signal()
}

// event has the networks looked at that the rows, before and after, concern.
func (c *changes) event(table string, rows ...model.Model) {
	k := kindOf[table]
	if k == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range rows {
		l := k.labels(row)
		key, ok := l.owner()
		switch row := row.(type) {
		case *portModel:
			port := suspicion{ports: map[string]string{row.UUID: row.Name}}
			if isOurs(l.ids) && ok {
				c.suspect(key, port)
			}
			if key, ok := c.expected.owner(row.Name); ok {
				c.suspect(key, port)
			}
		case *switchRow:
			if ok {
				c.suspect(key, suspicion{ports: namesOf(row.Ports)})
			}
		default:
			if ok {
				c.suspect(key, suspicion{ports: portOf(l)})
			}
		}
	}
}

func (c *changes) suspect(key Key, s suspicion) {
	c.suspects[key] = c.suspects[key].with(s)
	c.signal()
}

func (c *changes) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// report sends what changed until the connection has ended.
func (c *changes) report(conn *connection) {
	defer close(c.out)
	for {
		change, suspicion, ok := c.next()
		switch {
		case !ok:
			select {
			case <-c.wake:
			case <-conn.done:
				return
			}
		case change.All || c.differs(conn, change.Key, suspicion):
			select {
			case c.out <- change:
			case <-conn.done:
				return
			}
		}
	}
}

// next takes one thing to look at from what is pending. It says whether there
// was any.
func (c *changes) next() (Change, suspicion, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all {
		c.all = false
		return Change{All: true}, suspicion{}, true
	}
	for key, s := range c.suspects {
		if c.writes[key] == 0 {
			delete(c.suspects, key)
			if len(c.suspects) == 0 { // a map does not shrink
				c.suspects = map[Key]suspicion{}
			}
			return Change{Key: key}, s, true
		}
	}
	return Change{}, suspicion{}, false
}
