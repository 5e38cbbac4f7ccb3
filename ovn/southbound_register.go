package ovn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// registeredKey is the key of SB_Global:external_ids that [Southbound.Register]
// writes, and that manifests/ovn-central/scripts/ovsdb.sh waits for.
const registeredKey = "l2sm-registered"

// Registration is a node as its ovn-controller will register it.
type Registration struct {
	Chassis string
	// Address is where its Geneve tunnels start.
	Address netip.Addr
}

// Registered is what [Southbound.Register] has written.
type Registered struct {
	Chassis, Ports int
	// Disputed are nodes that it left out because another claims the same address,
	// or has it in the database: in order.
	Disputed []string
}

// Filled receives a value when a database is there that northd has filled and
// that no nodes were registered in: it is time to call [Southbound.Register].
// Values that are not taken are kept as one. The channel is never closed.
func (s *Southbound) Filled() <-chan struct{} { return s.registrant.filled }

// Register writes into a database that northd has filled what the nodes would
// write themselves: their chassis, and that each has the ports that are meant for
// it. Then it marks the database, whose server lets nodes in by that. Nodes come one
// by one, up to 8 s apart, and the first would remove its tunnels to all that
// have not come yet. Each takes over what stands for it: it adds what is missing, and
// releases ports that it does not have.
//
// It does nothing in a database that is marked, or not filled, and nothing for a
// node that has a chassis: who marked a database before is of no importance.
// What it writes, it writes into the database it has read and no other. Without
// a connection the error is [ErrNotConnected].
func (s *Southbound) Register(ctx context.Context, nodes []Registration) (Registered, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for conflicts := 0; ; conflicts++ {
		session, err := s.conn.now()
		if err != nil {
			return Registered{}, fmt.Errorf("register nodes: %w", err)
		}
		done, err := s.register(ctx, session, nodes)
		if err == nil {
			return done, nil
		}
		if !errors.Is(err, errConflict) || conflicts == maxConflicts {
			return Registered{}, fmt.Errorf("register nodes: %w", err)
		}
	}
}

func (s *Southbound) register(ctx context.Context, session *session, nodes []Registration) (Registered, error) {
	global := unregistered(session)
	if global == nil {
		return Registered{}, nil
	}
	seen, err := look(ctx, session)
	if err != nil {
		return Registered{}, err
	}
	var done Registered
	nodes, done.Disputed = seen.registrable(nodes)
	done.Chassis = len(nodes)
	ops := []ovsdb.Operation{as(global)}
	for i, n := range nodes {
		ops = append(ops, s.chassis(n, i)...)
		for _, port := range seen.ports[n.Chassis] {
			ops = append(ops, ovsdb.Operation{
				Op: ovsdb.OperationUpdate, Table: sb.PortBindingTable, Where: row(port),
				Row: ovsdb.Row{"chassis": uuidSet([]string{chassisUUID(i)})},
			})
			done.Ports++
		}
	}
	ops = append(ops, label(sb.SBGlobalTable, global.UUID, map[string]string{registeredKey: strconv.FormatBool(true)}))
	return done, session.transact(ctx, ops)
}

// unregistered is the database's global row, nil where nodes are registered in it,
// or where it is not filled. northd writes nb_cfg in the transaction that writes
// everything of the northbound database.
func unregistered(s *session) *sb.SBGlobal {
	for _, row := range s.cache.Table(sb.SBGlobalTable).RowsShallow() {
		if global := row.(*sb.SBGlobal); awaitsNodes(global) {
			return global
		}
	}
	return nil
}

func awaitsNodes(global *sb.SBGlobal) bool {
	return global.NbCfg > 0 && global.ExternalIDs[registeredKey] == ""
}

// as fails the transaction unless the row is as it was read: another database has
// none of its UUID, and another controller's mark differs.
func as(global *sb.SBGlobal) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationWait, Table: sb.SBGlobalTable, Timeout: new(int),
		Where: row(global.UUID), Columns: []string{"nb_cfg", "external_ids"}, Until: string(ovsdb.WaitConditionEqual),
		Rows: []ovsdb.Row{{"nb_cfg": global.NbCfg, "external_ids": stringMap(global.ExternalIDs)}},
	}
}

// chassis inserts the i-th node as its ovn-controller does: one that finds other
// tunnels for itself replaces them. is-remote is missing, since it would keep that.
func (s *Southbound) chassis(n Registration, i int) []ovsdb.Operation {
	encap := "encap" + strconv.Itoa(i)
	return []ovsdb.Operation{
		{Op: ovsdb.OperationInsert, Table: sb.EncapTable, UUIDName: encap, Row: ovsdb.Row{
			"type": sb.EncapTypeGeneve, "ip": n.Address.String(), "chassis_name": n.Chassis,
			"options": stringMap(map[string]string{"csum": "true"}),
		}},
		{Op: ovsdb.OperationInsert, Table: sb.ChassisTable, UUIDName: chassisUUID(i), Row: ovsdb.Row{
			"name": n.Chassis, "hostname": n.Chassis, "encaps": uuidSet([]string{encap}),
			"other_config": stringMap(s.registrant.configuration(n.Chassis)),
		}},
	}
}

func chassisUUID(i int) string { return "chassis" + strconv.Itoa(i) }

// sight is what [Southbound.Register] has to know of a database. It is read once
// for each: to be told of every change of every port would cost more.
type sight struct {
	chassis   map[string]bool
	addresses map[string]bool     // of tunnels
	ports     map[string][]string // that no chassis has, by the one that is to have them
}

func look(ctx context.Context, s *session) (sight, error) {
	where := func(all ...ovsdb.Condition) []ovsdb.Condition { return append([]ovsdb.Condition{}, all...) }
	results, err := s.ask(ctx, []ovsdb.Operation{
		{Op: ovsdb.OperationSelect, Table: sb.ChassisTable, Where: where(), Columns: []string{"name"}},
		{Op: ovsdb.OperationSelect, Table: sb.EncapTable, Where: where(), Columns: []string{"ip"}},
		{Op: ovsdb.OperationSelect, Table: sb.PortBindingTable, Columns: []string{"_uuid", "options"}, Where: where(
			ovsdb.NewCondition("type", ovsdb.ConditionEqual, ""),
			ovsdb.NewCondition("chassis", ovsdb.ConditionEqual, uuidSet(nil)),
		)},
	})
	if err != nil {
		return sight{}, err
	}
	seen := sight{chassis: map[string]bool{}, addresses: map[string]bool{}, ports: map[string][]string{}}
	for _, row := range results[0].Rows {
		name, _ := row["name"].(string)
		seen.chassis[name] = true
	}
	for _, row := range results[1].Rows {
		ip, _ := row["ip"].(string)
		seen.addresses[ip] = true
	}
	for _, row := range results[2].Rows {
		uuid, _ := row["_uuid"].(ovsdb.UUID)
		options, _ := row["options"].(ovsdb.OvsMap)
		if wanted, has := options.GoMap["requested-chassis"].(string); has {
			seen.ports[wanted] = append(seen.ports[wanted], uuid.GoUUID)
		}
	}
	return seen, nil
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
