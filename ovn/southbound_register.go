package ovn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/model"
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
func (s *Southbound) Filled() <-chan struct{} { return s.filled }

func (s *Southbound) tellFilled(m model.Model) {
	if global, is := m.(*sb.SBGlobal); !is || !awaitsNodes(global) {
		return
	}
	select {
	case s.filled <- struct{}{}:
	default:
	}
}

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
		done, err := register(ctx, session, nodes)
		if err == nil {
			return done, nil
		}
		if !errors.Is(err, errConflict) || conflicts == maxConflicts {
			return Registered{}, fmt.Errorf("register nodes: %w", err)
		}
	}
}

func register(ctx context.Context, s *session, nodes []Registration) (Registered, error) {
	global := unregistered(s)
	if global == nil {
		return Registered{}, nil
	}
	seen, err := look(ctx, s)
	if err != nil {
		return Registered{}, err
	}
	return write(ctx, s, global, seen, nodes)
}

// write does it in one transaction, if the database is the one that was read.
func write(ctx context.Context, s *session, global *sb.SBGlobal, seen sight, nodes []Registration) (Registered, error) {
	var done Registered
	nodes, done.Disputed = seen.registrable(nodes)
	ops := []ovsdb.Operation{as(global)}
	for i, n := range nodes {
		ops = append(ops, registration(n, i)...)
	}
	ops = append(ops, label(sb.SBGlobalTable, global.UUID, map[string]string{registeredKey: strconv.FormatBool(true)}))
	results, err := s.ask(ctx, ops)
	if err != nil {
		return Registered{}, err
	}
	done.Chassis = len(nodes)
	for i, op := range ops {
		if op.Table == sb.PortBindingTable {
			done.Ports += results[i].Count
		}
	}
	return done, nil
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
