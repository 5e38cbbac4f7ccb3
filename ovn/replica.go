package ovn

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// replica reads what a session has of the northbound database.
type replica struct {
	cache  *cache.TableCache
	strays *strays
}

func replicaOf(s *session) replica {
	return replica{s.cache, s.strays}
}

// table returns a table once the transaction that is just arriving, if any, is
// in the replica as a whole: libovsdb holds for it the lock that Table takes. A
// later one may still come in between two reads; the guards of a transaction
// are what makes that safe.
//
// Of its methods RowsShallow copies a map of the whole table, the others copy
// the rows that they return.
func (r replica) table(name string) *cache.RowCache {
	return r.cache.Table(name)
}

// networks returns the networks that have rows of a kind that is found by
// network, in order.
func (r replica) networks() []Key {
	found := map[Key]struct{}{}
	for table, identities := range identitiesOf {
		if len(identities) == 0 {
			continue
		}
		for _, row := range r.table(table).RowsShallow() {
			if key, ok := parseKey(kindOf[table].labels(row).ids[networkID]); ok {
				found[key] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b Key) int { return cmp.Compare(a.String(), b.String()) })
}

// rowsOf returns the rows of a network in a table, and such that may look so:
// those with a UUID that follows from the network, and the strays.
func (r replica) rowsOf(table string, key Key) []model.Model {
	var rows []model.Model
	strays := r.strays.of(place{table, key, false})
	for _, uuid := range strays {
		if row := r.table(table).Row(uuid); row != nil {
			rows = append(rows, row)
		}
	}
	for _, what := range identitiesOf[table] {
		for attempt := 0; ; attempt++ {
			uuid := derivedUUID(table, key, what, attempt)
			row := r.table(table).Row(uuid)
			if row == nil {
				break
			}
			if !slices.Contains(strays, uuid) {
				rows = append(rows, row)
			}
			if serves(table, row, key) {
				break
			}
		}
	}
	return rows
}

// state gathers what [Diff] needs to know for the target.
func (r replica) state(t target) (State, error) {
	var s State
	for _, k := range kinds {
		found, err := k.read(r, t, &s)
		if err != nil {
			return State{}, err
		}
		s.rows = append(s.rows, found)
	}
	return s, nil
}

// deletion returns the operations that remove what there is of a network.
func (r replica) deletion(key Key) ([]ovsdb.Operation, error) {
	var ops []ovsdb.Operation
	for _, k := range kinds {
		deletion, err := k.deletion(r, key)
		if err != nil {
			return nil, err
		}
		ops = append(ops, deletion...)
	}
	return ops, nil
}

// global returns the only row of NB_Global, nil while there is none.
func (r replica) global() *nb.NBGlobal {
	for _, row := range r.table(nb.NBGlobalTable).RowsShallow() {
		return row.(*nb.NBGlobal)
	}
	return nil
}

// identity returns the UUID that a row of a network must be created with. It is
// always the same for what the row is, so that of two clients that both find no
// row only one can create it: ovsdb-server refuses a UUID that is there, at the
// price of one look-up. Only where the row with that UUID has become somebody
// else's it is a further one.
func (r replica) identity(table string, key Key, what string) string {
	for attempt := 0; ; attempt++ {
		uuid := derivedUUID(table, key, what, attempt)
		row := r.table(table).Row(uuid)
		if row == nil || serves(table, row, key) { // it may just have arrived
			return uuid
		}
	}
}

// serves says whether the row is the network's.
func serves(table string, row model.Model, key Key) bool {
	return kindOf[table].labels(row).ids[networkID] == key.String()
}

// port returns the port of that name, nil when there is none.
func (r replica) port(name string) (*portModel, error) {
	_, row, err := r.table(nb.LogicalSwitchPortTable).RowByModel(&portModel{Name: name})
	port, _ := row.(*portModel)
	return port, err
}

// placed returns the port of that name and where it is, if not here. A port
// that seems to be on no switch is left out: such rows do not exist, so its
// switch is still arriving, and the database will refuse to create the port
// again.
func (r replica) placed(name string, here *members) (*portRow, error) {
	row, err := r.port(name)
	if row == nil || err != nil {
		return nil, err
	}
	port := portRowOf(row)
	if here.has(row.UUID) {
		return &port, nil
	}
	if port.elsewhere = r.switchesWith(row); len(port.elsewhere) == 0 {
		return nil, nil
	}
	return &port, nil
}

// switchesWith returns the switches that have the port: that of the network
// which the port names, as a rule. Only for a port that is not there all
// switches are looked at.
func (r replica) switchesWith(port *portModel) []switchRow {
	if key, ok := parseKey(port.ExternalIDs[networkID]); ok {
		owned, _ := r.switchesOf(key)
		owned = slices.DeleteFunc(owned, func(sw switchRow) bool { return !sw.members.has(port.UUID) })
		if len(owned) > 0 {
			return owned
		}
	}
	var found []switchRow
	for _, row := range r.table(nb.LogicalSwitchTable).RowsShallow() {
		if sw := row.(*switchRow); sw.members.has(port.UUID) {
			found = append(found, *sw.unpacked())
		}
	}
	return found
}

// portsIn returns the rows of the members. Many are read at once, from a list
// of the whole table, whose rows are not copied.
func (r replica) portsIn(m *members) []*portModel {
	var rows map[string]model.Model
	table, uuids := r.table(nb.LogicalSwitchPortTable), m.all()
	if len(uuids) > table.Len()/16 {
		rows = table.RowsShallow()
	}

	var ports []*portModel
	for _, uuid := range uuids {
		row := rows[uuid]
		if rows == nil {
			row = table.Row(uuid)
		}
		if port, ok := row.(*portModel); ok {
			ports = append(ports, port.unpacked())
		}
	}
	return ports
}
