package ovn

import (
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// present fails the transaction unless the switch is there, has its name and
// all of these ports.
func present(sw switchRow, ports []string) ovsdb.Operation {
	where := row(sw.UUID)
	if len(ports) > 0 {
		where = append(where, ovsdb.NewCondition("ports", ovsdb.ConditionIncludes, uuidSet(ports)))
	}
	return wait(nb.LogicalSwitchTable, "name", sw.Name, where...)
}

// wait fails the transaction unless the row found has this value in that
// column.
func wait(table, column, value string, where ...ovsdb.Condition) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationWait, Table: table, Timeout: new(int),
		Where: where, Columns: []string{column}, Until: string(ovsdb.WaitConditionEqual),
		Rows: []ovsdb.Row{{column: value}},
	}
}

// label writes our keys into a row's external_ids and leaves all others.
func label(table, uuid string, ids map[string]string) ovsdb.Operation {
	return setKeys(table, uuid, "external_ids", slices.Sorted(maps.Keys(ids)), ids)
}

// setKeys writes keys into a column that is a map, and leaves all others: those
// without a value are removed. The mutator insert does not replace a key that
// is there: so delete comes first.
func setKeys(table, uuid, column string, keys []string, values map[string]string) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: table, Where: row(uuid),
		Mutations: []ovsdb.Mutation{
			*ovsdb.NewMutation(column, ovsdb.MutateOperationDelete, stringSet(keys)),
			*ovsdb.NewMutation(column, ovsdb.MutateOperationInsert, stringMap(values)),
		},
	}
}

func mutatePorts(sw string, mutator ovsdb.Mutator, ports []string) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: nb.LogicalSwitchTable, Where: row(sw),
		Mutations: []ovsdb.Mutation{*ovsdb.NewMutation("ports", mutator, uuidSet(ports))},
	}
}

// deleteRows deletes rows of a table.
func deleteRows(table string, uuids ...string) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for _, uuid := range uuids {
		ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationDelete, Table: table, Where: row(uuid)})
	}
	return ops
}

func row(uuid string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})}
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
