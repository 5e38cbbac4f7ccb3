package ovn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// portKeys tell a port of the southbound database as rows of FDB do: the tunnel
// keys of its switch and its own.
type portKeys struct{ datapath, port int }

// learned counts the rows of FDB by port. What an event costs does not depend on
// how many there are.
type learned struct {
	mu    sync.Mutex
	rows  map[portKeys]map[rowID]struct{}
	above map[portKeys]struct{} // ports with more than MaxLearned
	wake  chan struct{}         // has room for one
}

func newLearned() *learned {
	l := &learned{wake: make(chan struct{}, 1)}
	l.reset()
	return l
}

// reset forgets what another connection told.
func (l *learned) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows, l.above = map[portKeys]map[rowID]struct{}{}, map[portKeys]struct{}{}
}

// learnedAt is the port of a row of FDB, and which row it is.
func learnedAt(m model.Model) (portKeys, rowID, bool) {
	row, is := m.(*sb.FDB)
	if !is {
		return portKeys{}, rowID{}, false
	}
	id, _ := parseUUID(row.UUID)
	return portKeys{row.DpKey, row.PortKey}, id, true
}

// add counts a row, once however often it is told of.
func (l *learned) add(m model.Model) {
	at, id, is := learnedAt(m)
	if !is {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows[at] == nil {
		l.rows[at] = map[rowID]struct{}{}
	}
	_, known := l.rows[at][id]
	l.rows[at][id] = struct{}{}
	if known || len(l.rows[at]) <= MaxLearned {
		return
	}
	l.above[at] = struct{}{}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *learned) remove(m model.Model) {
	at, id, is := learnedAt(m)
	if !is {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rows[at], id)
	if len(l.rows[at]) == 0 {
		delete(l.rows, at)
	}
}

// take returns the ports that have had more than MaxLearned since the last time.
func (l *learned) take() []portKeys {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []portKeys
	for at := range l.above {
		all = append(all, at)
	}
	l.above = map[portKeys]struct{}{}
	return all
}

// Floods receives a value when a port has been seen with more than [MaxLearned]
// MAC addresses: it is time to call [Southbound.Unlearn]. Values that are not
// taken are kept as one.
func (s *Southbound) Floods() <-chan struct{} { return s.learned.wake }

// Unlearn deletes what OVN has learned from ports that were seen with more than
// [MaxLearned] MAC addresses, and returns their names, in order. As long as such
// a port has "unknown" among its addresses and no port security, OVN learns
// anew.
func (s *Southbound) Unlearn(ctx context.Context) ([]string, error) {
	return s.learned.unlearn(ctx, s.conn, func(*session, portKeys) ([]ovsdb.Operation, bool) { return nil, true })
}

// unlearn deletes what was learned from ports above the limit. Of each ours says
// whether it is for us to touch, and what of that the database must bear out.
func (l *learned) unlearn(ctx context.Context, conn *connection, ours func(*session, portKeys) (guards []ovsdb.Operation, is bool)) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	session, err := conn.wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("unlearn MAC addresses: %w", err)
	}
	var names []string
	var failed error
	for _, at := range l.take() {
		guards, is := ours(session, at)
		if !is {
			continue
		}
		ports, err := session.unlearn(ctx, at, guards)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("unlearn MAC addresses of port %d of datapath %d: %w", at.port, at.datapath, err))
		}
		names = append(names, ports...)
	}
	slices.Sort(names)
	return names, failed
}

// unlearn deletes what was learned from a port unless a guard fails, and returns its
// name: none where it has gone.
func (s *session) unlearn(ctx context.Context, at portKeys, guards []ovsdb.Operation) ([]string, error) {
	has := func(column string, key int) ovsdb.Condition {
		return ovsdb.NewCondition(column, ovsdb.ConditionEqual, key)
	}
	results, err := s.ask(ctx, append(guards,
		ovsdb.Operation{Op: ovsdb.OperationDelete, Table: sb.FDBTable, Where: []ovsdb.Condition{has("dp_key", at.datapath), has("port_key", at.port)}},
		ovsdb.Operation{Op: ovsdb.OperationSelect, Table: sb.DatapathBindingTable, Where: []ovsdb.Condition{has("tunnel_key", at.datapath)}, Columns: []string{"_uuid"}},
	))
	if err != nil {
		return nil, err
	}
	datapaths := results[len(guards)+1].Rows
	if len(datapaths) == 0 {
		return nil, nil
	}
	results, err = s.ask(ctx, []ovsdb.Operation{{
		Op: ovsdb.OperationSelect, Table: sb.PortBindingTable, Columns: []string{"logical_port"},
		Where: []ovsdb.Condition{ovsdb.NewCondition("datapath", ovsdb.ConditionEqual, datapaths[0]["_uuid"]), has("tunnel_key", at.port)},
	}})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, row := range results[0].Rows {
		if name, is := row["logical_port"].(string); is {
			names = append(names, name)
		}
	}
	return names, nil
}
