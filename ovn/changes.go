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
	expected map[Key]*Network // what was last applied
	writes   map[Key]int      // how many are under way
	suspects map[Key]bool     // to be looked at
	all      bool             // a connection was made
	wake     chan struct{}    // has room for one
}

func newChanges() *changes {
	return &changes{
		out:      make(chan Change),
		expected: map[Key]*Network{},
		writes:   map[Key]int{},
		suspects: map[Key]bool{},
		wake:     make(chan struct{}, 1),
	}
}

// expect notes what the network shall be like from now on. The caller calls the
// returned function when that is written: it is not looked at before.
func (c *changes) expect(n Network) func() {
	n.Ports, n.DHCP = slices.Clone(n.Ports), slices.Clone(n.DHCP)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected[n.Key] = &n
	return c.begin(n.Key)
}

// forget is expect for a network that shall be gone.
func (c *changes) forget(key Key) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.expected, key)
	return c.begin(key)
}

func (c *changes) begin(key Key) func() {
	c.writes[key]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.writes[key]--; c.writes[key] == 0 {
			delete(c.writes, key)
		}
		c.signal()
	}
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
	case *nb.DHCPOptions:
		return ownerKey(row.ExternalIDs, "")
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
		change, want, ok := c.next()
		switch {
		case !ok:
			select {
			case <-c.wake:
			case <-conn.done:
				return
			}
		case change.All || c.differs(conn, change.Key, want):
			select {
			case c.out <- change:
			case <-conn.done:
				return
			}
		}
	}
}

// next takes one thing to look at from what is pending, and with it what is
// expected. It says whether there was any.
func (c *changes) next() (Change, *Network, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all {
		c.all = false
		return Change{All: true}, nil, true
	}
	for key := range c.suspects {
		if c.writes[key] == 0 {
			delete(c.suspects, key)
			return Change{Key: key}, c.expected[key], true
		}
	}
	return Change{}, nil, false
}

// differs says whether the network's rows are other than expected. It is of no
// interest without a session, because the next one reports all, and when a
// write has begun meanwhile, because that brings events of its own.
func (c *changes) differs(conn *connection, key Key, want *Network) bool {
	s, err := conn.now()
	if err != nil || replicaOf(s).holds(key, want) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expected[key] == want
}
