package ovn

import (
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// operations returns the plan as one transaction. It opens with guards, so
// that it commits only while the database still is what the plan was made
// from: without them an operation on a row that has gone does nothing and
// says nothing, and two clients that both see no switch make two.
//
// The operations are written out, not built by libovsdb's conditional API:
// that one swaps every condition for a plain _uuid where its cache has a
// match, and so takes the teeth out of the guards.
//
// An empty plan needs none.
func (p Plan) operations() []ovsdb.Operation {
	if p.Empty() {
		return nil
	}
	return slices.Concat(p.guards(), p.dhcp.operations(p.network), p.portOperations(), p.switchOperations())
}

func (p Plan) guards() []ovsdb.Operation {
	guards := append(p.moveGuards(), p.dhcp.guards(p.network)...)
	if p.create {
		return append(guards, absent(p.network.Switch()))
	}

	var touched []string
	for _, c := range p.change {
		touched = append(touched, c.row.uuid)
	}
	for _, r := range p.remove {
		touched = append(touched, r.uuid)
	}
	return append(guards, present(p.sw, touched))
}

func (p Plan) moveGuards() []ovsdb.Operation {
	var guards []ovsdb.Operation
	for _, m := range p.move {
		for _, sw := range m.row.elsewhere {
			guards = append(guards, present(sw, []string{m.row.uuid}))
		}
	}
	return guards
}

func (p Plan) portOperations() []ovsdb.Operation {
	var ops []ovsdb.Operation
	for i, port := range p.add {
		columns := p.columns(port)
		columns["name"] = port.Name
		columns["external_ids"] = stringMap(portIDs(p.network, port))
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchPortTable, UUIDName: newPort(i), Row: columns,
		})
	}

	for _, c := range slices.Concat(p.move, p.change) {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: nb.LogicalSwitchPortTable, Where: row(c.row.uuid), Row: p.columns(c.Port),
		})
		if ids := portIDs(p.network, c.Port); !carries(c.row.ids, ids) {
			ops = append(ops, label(nb.LogicalSwitchPortTable, c.row.uuid, ids))
		}
	}
	return ops
}

// columns are those of a port that are written anew whenever one differs.
func (p Plan) columns(port Port) ovsdb.Row {
	columns := ovsdb.Row{
		"addresses":     stringSet(port.Addresses),
		"port_security": stringSet(port.PortSecurity),
	}
	for f, uuid := range p.dhcp.refs() {
		var set []string
		if uuid != "" {
			set = []string{uuid}
		}
		columns[family(f).column()] = uuidSet(set)
	}
	return columns
}

func (p Plan) switchOperations() []ovsdb.Operation {
	var ops []ovsdb.Operation
	for _, m := range p.move {
		for _, sw := range m.row.elsewhere {
			ops = append(ops, mutatePorts(sw.uuid, ovsdb.MutateOperationDelete, []string{m.row.uuid}))
		}
	}

	var joining, leaving []string
	for i := range p.add {
		joining = append(joining, newPort(i))
	}
	for _, m := range p.move {
		joining = append(joining, m.row.uuid)
	}
	for _, r := range p.remove {
		leaving = append(leaving, r.uuid)
	}

	if p.create {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchTable,
			Row: ovsdb.Row{
				"name":         p.network.Switch(),
				"ports":        uuidSet(joining),
				"external_ids": stringMap(networkIDs(p.network)),
			},
		})
	}
	if p.relabel {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: nb.LogicalSwitchTable, Where: row(p.sw.uuid),
			Row: ovsdb.Row{"name": p.network.Switch()},
		}, label(nb.LogicalSwitchTable, p.sw.uuid, networkIDs(p.network)))
	}
	if !p.create && len(joining) > 0 {
		ops = append(ops, mutatePorts(p.sw.uuid, ovsdb.MutateOperationInsert, joining))
	}
	if len(leaving) > 0 {
		ops = append(ops, mutatePorts(p.sw.uuid, ovsdb.MutateOperationDelete, leaving))
	}
	return append(ops, deleteSwitches(p.surplus)...)
}

// deleteSwitches deletes switches, and with them the ports that no other
// switch has.
func deleteSwitches(switches []switchRow) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for _, sw := range switches {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationDelete, Table: nb.LogicalSwitchTable, Where: row(sw.uuid),
		})
	}
	return ops
}

// absent fails the transaction when there is a switch of that name: the
// schema does not forbid a second one.
func absent(name string) ovsdb.Operation {
	return wait(nb.LogicalSwitchTable, "name", ovsdb.WaitConditionNotEqual, name, ovsdb.NewCondition("name", ovsdb.ConditionEqual, name))
}

// present fails the transaction unless the switch is there, has its name and
// all of these ports.
func present(sw switchRow, ports []string) ovsdb.Operation {
	where := row(sw.uuid)
	if len(ports) > 0 {
		where = append(where, ovsdb.NewCondition("ports", ovsdb.ConditionIncludes, uuidSet(ports)))
	}
	return wait(nb.LogicalSwitchTable, "name", ovsdb.WaitConditionEqual, sw.name, where...)
}

// wait fails the transaction unless the rows found have, or have not, this
// value in that column.
func wait(table, column string, until ovsdb.WaitCondition, value string, where ...ovsdb.Condition) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationWait, Table: table, Timeout: new(int),
		Where: where, Columns: []string{column}, Until: string(until),
		Rows: []ovsdb.Row{{column: value}},
	}
}

// label writes our keys into a row's external_ids and leaves all others. The
// mutator insert does not replace a key that is there: so delete comes first.
func label(table, uuid string, ids map[string]string) ovsdb.Operation {
	keys := slices.Sorted(maps.Keys(ids))
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: table, Where: row(uuid),
		Mutations: []ovsdb.Mutation{
			*ovsdb.NewMutation("external_ids", ovsdb.MutateOperationDelete, stringSet(keys)),
			*ovsdb.NewMutation("external_ids", ovsdb.MutateOperationInsert, stringMap(ids)),
		},
	}
}

func mutatePorts(sw string, mutator ovsdb.Mutator, ports []string) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: nb.LogicalSwitchTable, Where: row(sw),
		Mutations: []ovsdb.Mutation{*ovsdb.NewMutation("ports", mutator, uuidSet(ports))},
	}
}

func row(uuid string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})}
}

// newPort is the name, inside a transaction, of the port it makes as the i-th.
func newPort(i int) string {
	return "port" + strconv.Itoa(i)
}

// stringSet is a set of strings, which ovsdb-server refuses with an element
// twice.
func stringSet(values []string) ovsdb.OvsSet {
	set := ovsdb.OvsSet{GoSet: make([]any, 0, len(values))}
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		set.GoSet = append(set.GoSet, v)
	}
	return set
}

func uuidSet(uuids []string) ovsdb.OvsSet {
	set := ovsdb.OvsSet{GoSet: make([]any, 0, len(uuids))}
	for _, u := range uuids {
		set.GoSet = append(set.GoSet, ovsdb.UUID{GoUUID: u})
	}
	return set
}

func stringMap(m map[string]string) ovsdb.OvsMap {
	out := ovsdb.OvsMap{GoMap: make(map[any]any, len(m))}
	for k, v := range m {
		out.GoMap[k] = v
	}
	return out
}
