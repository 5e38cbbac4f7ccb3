package ovn

import (
	"slices"
	"strings"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/nb"
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
// only say where to look: [Diff] decides, so that a client's own writes do not
// come back to it as news.
type changes struct {
	out chan Change

	mu       sync.Mutex
	expected map[Key]Network // what was last applied
	suspects map[Key]bool    // to be looked at
	all      bool            // a connection was made
	wake     chan struct{}   // has room for one
}

func newChanges() *changes {
	return &changes{
		out:      make(chan Change),
		expected: map[Key]Network{},
		suspects: map[Key]bool{},
		wake:     make(chan struct{}, 1),
	}
}

// expect notes what the network shall be like from now on.
func (c *changes) expect(n Network) {
	n.Ports = slices.Clone(n.Ports)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected[n.Key] = n
}

// forget notes that the network shall be gone from now on.
func (c *changes) forget(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.expected, key)
}

// watch listens to what happens in a new session.
func (c *changes) watch(s *session) {
	s.cache.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(_ string, row model.Model) { c.suspect(row) },
		UpdateFunc: func(_ string, old, row model.Model) { c.suspect(old, row) },
		DeleteFunc: func(_ string, row model.Model) { c.suspect(row) },
	})

	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = true
	clear(c.suspects)
	c.signal()
}

// suspect has the networks looked at that the rows concern.
func (c *changes) suspect(rows ...model.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range rows {
		if key, ok := c.concerns(row); ok {
			c.suspects[key] = true
			c.signal()
		}
	}
}

// concerns returns the network that the row serves or, when it is somebody
// else's, stands in the way of.
func (c *changes) concerns(row model.Model) (Key, bool) {
	switch row := row.(type) {
	case *nb.LogicalSwitch:
		return ownerKey(row.ExternalIDs, row.Name)
	case *nb.LogicalSwitchPort:
		if isOurs(row.ExternalIDs) {
			return ownerKey(row.ExternalIDs, row.Name)
		}
		return c.expectedOn(row.Name)
	default:
		return Key{}, false
	}
}

// expectedOn returns the network that has a port of that name.
func (c *changes) expectedOn(port string) (Key, bool) {
	if !strings.HasPrefix(port, namePrefix) {
		return Key{}, false
	}
	for key, n := range c.expected {
		if slices.ContainsFunc(n.Ports, func(p Port) bool { return p.Name == port }) {
			return key, true
		}
	}
	return Key{}, false
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
		change, ok := c.next()
		switch {
		case !ok:
			select {
			case <-c.wake:
			case <-conn.done:
				return
			}
		case change.All || c.differs(conn, change.Key):
			select {
			case c.out <- change:
			case <-conn.done:
				return
			}
		}
	}
}

// next takes one thing to report from what is pending.
func (c *changes) next() (Change, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all {
		c.all = false
		return Change{All: true}, true
	}
	for key := range c.suspects {
		delete(c.suspects, key)
		return Change{Key: key}, true
	}
	return Change{}, false
}

// differs says whether the network's rows are other than expected. Without a
// session they need no looking at: the next one reports all.
func (c *changes) differs(conn *connection, key Key) bool {
	s, err := conn.now()
	if err != nil {
		return false
	}
	c.mu.Lock()
	n, expected := c.expected[key]
	c.mu.Unlock()

	r := replicaOf(s)
	if !expected {
		owned, err := r.owned(key)
		return err != nil || len(owned) > 0
	}
	actual, err := r.state(n)
	if err != nil {
		return true
	}
	plan, err := Diff(n, actual)
	return err != nil || !plan.Empty()
}
