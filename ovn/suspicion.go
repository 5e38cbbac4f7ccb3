package ovn

import (
	"l2sm.io/l2sm/ovn/nb"
)

// suspicion is what may be wrong with a network: its switch and what serves it
// as a whole, and some of its ports.
type suspicion struct {
	ports   map[string]string // names by UUID, empty where not known yet
	certain bool              // it is to be reported without a look
}

// namesOf are ports that only their UUIDs are known of.
func namesOf(uuids []string) map[string]string {
	names := make(map[string]string, len(uuids))
	for _, uuid := range uuids {
		names[uuid] = ""
	}
	return names
}

// portOf is the port that a row is for which is none itself.
func portOf(l labels) map[string]string {
	if l.port == "" {
		return nil
	}
	return map[string]string{l.uuid: l.port}
}

// with returns both suspicions as one.
func (s suspicion) with(other suspicion) suspicion {
	if s.ports == nil {
		s.ports = make(map[string]string, len(other.ports))
	}
	for uuid, name := range other.ports {
		if name != "" || s.ports[uuid] == "" {
			s.ports[uuid] = name
		}
	}
	s.certain = s.certain || other.certain
	return s
}

// names returns the names of the ports. A port that has gone is named by the
// event of that.
func (s suspicion) names(r replica) map[string]struct{} {
	names := make(map[string]struct{}, len(s.ports))
	for uuid, name := range s.ports {
		if name == "" {
			if row, ok := r.table(nb.LogicalSwitchPortTable).Row(uuid).(*portModel); ok {
				name = row.Name
			}
		}
		if name != "" {
			names[name] = struct{}{}
		}
	}
	return names
}

// differs says whether rows of the network are other than expected. It is of no
// interest without a session, because the next one reports all. When a write has
// begun meanwhile, the rows are looked at again once it has ended.
func (c *changes) differs(conn *connection, key Key, s suspicion) bool {
	session, err := conn.now()
	if err != nil {
		return false
	}
	r := replicaOf(session)
	names := s.names(r)

	c.mu.Lock()
	if c.writes[key] > 0 { // it began since
		c.suspect(key, s)
		c.mu.Unlock()
		return false
	}
	x := c.expected.networks[key]
	var version int
	var want comparison
	if x != nil {
		version, want = x.version, x.compared(c.expected, names)
	}
	c.mu.Unlock()
	if !s.certain && r.holds(key, want, x == nil) {
		return false
	}
	return c.confirm(key, s, x, version)
}

// confirm says whether what was compared is still what is expected. Otherwise it
// has the network looked at again.
func (c *changes) confirm(key Key, s suspicion, compared *expectation, version int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.expected.networks[key]
	if now == compared && (now == nil || now.version == version) {
		return true
	}
	c.suspect(key, s)
	return false
}

// holds says whether the network is as expected, or gone.
func (r replica) holds(key Key, want comparison, gone bool) bool {
	if gone {
		ops, err := r.deletion(key)
		return err == nil && len(ops) == 0
	}
	actual, err := r.state(want.target)
	if err != nil {
		return false
	}
	return want.met(actual)
}
