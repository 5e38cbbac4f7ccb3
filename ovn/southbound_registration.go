package ovn

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// registration inserts the i-th node as its ovn-controller does: one that finds
// other tunnels for itself replaces them. is-remote is missing, since it would keep
// that. The server finds the ports, which is cheaper than to read all and name each.
func registration(n Registration, i int) []ovsdb.Operation {
	encap, chassis := "encap"+strconv.Itoa(i), "chassis"+strconv.Itoa(i)
	ops := []ovsdb.Operation{
		{Op: ovsdb.OperationInsert, Table: sb.EncapTable, UUIDName: encap, Row: ovsdb.Row{
			"type": sb.EncapTypeGeneve, "ip": n.Address.String(), "chassis_name": n.Chassis,
			"options": stringMap(map[string]string{"csum": "true"}),
		}},
		{Op: ovsdb.OperationInsert, Table: sb.ChassisTable, UUIDName: chassis, Row: ovsdb.Row{
			"name": n.Chassis, "hostname": n.Chassis, "encaps": uuidSet([]string{encap}),
			"other_config": stringMap(map[string]string{"ovn-cms-options": ChassisMark}),
		}},
	}
	for kind, option := range meantFor {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: sb.PortBindingTable, Row: ovsdb.Row{"chassis": uuidSet([]string{chassis})},
			Where: []ovsdb.Condition{
				ovsdb.NewCondition("type", ovsdb.ConditionEqual, kind),
				ovsdb.NewCondition("chassis", ovsdb.ConditionEqual, uuidSet(nil)),
				ovsdb.NewCondition("options", ovsdb.ConditionIncludes, stringMap(map[string]string{option: n.Chassis})),
			},
		})
	}
	return ops
}

// meantFor is the option that names the chassis which claims a port, by the port's
// type: a pod's, and an edge's (ovn-sb(5), Port_Binding).
var meantFor = map[string]string{"": "requested-chassis", "l2gateway": "l2gateway-chassis"}

// sight is what else [Southbound.Register] has to know of a database. It is read once
// for each: to be told of every change would cost more.
type sight struct {
	chassis   map[string]bool
	addresses map[string]bool // of tunnels
}

func look(ctx context.Context, s *session) (sight, error) {
	all := []ovsdb.Condition{}
	results, err := s.ask(ctx, []ovsdb.Operation{
		{Op: ovsdb.OperationSelect, Table: sb.ChassisTable, Where: all, Columns: []string{"name"}},
		{Op: ovsdb.OperationSelect, Table: sb.EncapTable, Where: all, Columns: []string{"ip"}},
	})
	if err != nil {
		return sight{}, err
	}
	return sight{chassis: column(results[0], "name"), addresses: column(results[1], "ip")}, nil
}

func column(of ovsdb.OperationResult, name string) map[string]bool {
	values := map[string]bool{}
	for _, row := range of.Rows {
		value, _ := row[name].(string)
		values[value] = true
	}
	return values
}

// registrable are nodes without a chassis whose addresses nobody else has: the
// database takes an address once, and one node's lie must not keep the others out.
// Of two that claim one, none is believed.
func (s sight) registrable(nodes []Registration) (can []Registration, disputed []string) {
	claims := map[netip.Addr]int{}
	for _, n := range nodes {
		claims[n.Address]++
	}
	for _, n := range nodes {
		switch {
		case s.chassis[n.Chassis]:
		case claims[n.Address] > 1 || s.addresses[n.Address.String()]:
			disputed = append(disputed, n.Chassis)
		default:
			can = append(can, n)
		}
	}
	slices.Sort(disputed)
	return can, disputed
}
