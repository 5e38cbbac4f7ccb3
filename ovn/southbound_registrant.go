package ovn

import (
	"maps"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/sb"
)

// registrant says when nodes must be registered, and remembers what their chassis
// were like in the database before: northd makes other flows as long as one does
// not say what its ovn-controller can do.
type registrant struct {
	filled chan struct{} // has room for one

	mu sync.Mutex
	// other_config of chassis with ChassisMark: of those that there are, and of
	// those that have gone since one came or changed. A database that is wiped takes
	// all of them along, which nobody can tell from nodes that are removed.
	known, gone map[string]map[string]string
}

func newRegistrant() *registrant {
	r := &registrant{filled: make(chan struct{}, 1)}
	r.reset()
	return r
}

func (r *registrant) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.gone = map[string]map[string]string{}, map[string]map[string]string{}
}

// begin takes the rows of another connection. The chassis of a database that nodes
// were registered in are all that count.
func (r *registrant) begin(s *session) {
	if unregistered(s) == nil && len(s.cache.Table(sb.ChassisTable).RowsShallow()) > 0 {
		r.reset()
	}
	for _, table := range []string{sb.ChassisTable, sb.SBGlobalTable} {
		for _, row := range s.cache.Table(table).RowsShallow() {
			r.note(row)
		}
	}
}

// note takes a row that has appeared, or changed.
func (r *registrant) note(m model.Model) {
	switch row := m.(type) {
	case *sb.SBGlobal:
		if awaitsNodes(row) {
			select {
			case r.filled <- struct{}{}:
			default:
			}
		}
	case *sb.Chassis:
		if marked(row) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.known[row.Name] = row.OtherConfig
			clear(r.gone)
		}
	}
}

// remove takes a row that is there no more.
func (r *registrant) remove(m model.Model) {
	if row, is := m.(*sb.Chassis); is && marked(row) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gone[row.Name] = row.OtherConfig
		delete(r.known, row.Name)
	}
}

// configuration is what stands in other_config of a chassis that its
// ovn-controller has not written yet.
func (r *registrant) configuration(chassis string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	config := maps.Clone(r.known[chassis])
	if config == nil {
		config = maps.Clone(r.gone[chassis])
	}
	if config == nil {
		config = map[string]string{"ovn-cms-options": ChassisMark}
	}
	delete(config, "is-remote") // an ovn-controller that is none would keep it
	return config
}
