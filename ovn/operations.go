package ovn

import (
	"cmp"
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

// Values of columns are written out as RFC 7047 spells them: libovsdb's types
// for them marshal each value by itself, and then all of it once more.

// stringSet is a set of strings, which ovsdb-server refuses with an element
// twice.
func stringSet(values []string) any {
	set := append([]string{}, values...)
	slices.Sort(set)
	return []any{"set", slices.Compact(set)}
}

func uuidSet(uuids []string) any {
	set := make([][2]string, 0, len(uuids))
	for _, uuid := range uuids {
		kind := "named-uuid"
		if _, is := parseUUID(uuid); is {
			kind = "uuid"
		}
		set = append(set, [2]string{kind, uuid})
	}
	return []any{"set", set}
}

func stringMap(m map[string]string) any {
	pairs := make([][2]string, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, [2]string{k, v})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	return []any{"map", pairs}
}
