package ovn

import (
	"context"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// Zone is the southbound database of one zone, one node's part of OVN. It makes it
// hold the chassis of other zones, to which ovn-controller then makes tunnels
// (other_config:is-remote in ovn-sb(5), Chassis), and says which tunnel keys northd
// has given. It leaves every chassis alone that it did not make: the node's own above
// all. And it removes what OVN has learned of pods on our networks that flood it with
// MAC addresses, and of nobody else's.
type Zone struct {
	conn    *connection
	changes chan struct{}
	learned *learned
}

// DialZone is [Dial] for a zone's southbound database.
func DialZone(ctx context.Context, cfg Config) (*Zone, error) {
	chassis, encap, datapath, fdb := &sb.Chassis{}, &sb.Encap{}, &sb.DatapathBinding{}, &sb.FDB{}
	m, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{
		sb.ChassisTable: chassis, sb.EncapTable: encap, sb.DatapathBindingTable: datapath, sb.FDBTable: fdb,
	})
	if err != nil {
		return nil, fmt.Errorf("build southbound model: %w", err)
	}
	db := database{model: m, tables: []client.MonitorOption{
		client.WithTable(chassis, &chassis.Name, &chassis.Hostname, &chassis.OtherConfig, &chassis.ExternalIDs, &chassis.Encaps),
		client.WithTable(encap, &encap.ChassisName, &encap.Type, &encap.IP),
		client.WithTable(datapath, &datapath.ExternalIDs, &datapath.TunnelKey),
		client.WithTable(fdb, &fdb.DpKey, &fdb.PortKey),
	}}
	z := &Zone{changes: make(chan struct{}, 1), learned: newLearned()}
	if z.conn, err = dial(ctx, cfg, db, z.watch); err != nil {
		return nil, fmt.Errorf("dial southbound database: %w", err)
	}
	return z, nil
}

// Close ends the client.
func (z *Zone) Close() { z.conn.close() }

// Changes receives a value after a connection was made, or rows have changed that are
// not of learned MAC addresses: it is time to look again. Values that are not taken are
// kept as one. The channel is never closed.
func (z *Zone) Changes() <-chan struct{} { return z.changes }

func (z *Zone) watch(s *session) {
	changed := func(table string) {
		if table == sb.FDBTable {
			return
		}
		select {
		case z.changes <- struct{}{}:
		default:
		}
	}
	z.learned.reset()
	s.cache.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(table string, row model.Model) { changed(table); z.learned.add(row) },
		UpdateFunc: func(table string, _, _ model.Model) { changed(table) },
		DeleteFunc: func(table string, row model.Model) { changed(table); z.learned.remove(row) },
	})
	for _, row := range s.cache.Table(sb.FDBTable).RowsShallow() {
		z.learned.add(row)
	}
	changed(sb.ChassisTable)
}

// Floods is [Southbound.Floods].
func (z *Zone) Floods() <-chan struct{} { return z.learned.wake }

// Unlearn is [Southbound.Unlearn] for switches of networks: who else has switches in
// the database sees to what it learns of them.
func (z *Zone) Unlearn(ctx context.Context) ([]string, error) {
	return z.learned.unlearn(ctx, z.conn, networkAt)
}

// networkAt says whether the port is on a network's switch, which the database must
// still have by that key: another program's may have it by now.
func networkAt(s *session, at portKeys) (guards []ovsdb.Operation, is bool) {
	for _, known := range s.cache.Table(sb.DatapathBindingTable).RowsShallow() {
		d := known.(*sb.DatapathBinding)
		if _, is := ownerKey(nil, d.ExternalIDs["name"]); d.TunnelKey == at.datapath && is {
			return []ovsdb.Operation{{
				Op: ovsdb.OperationWait, Table: sb.DatapathBindingTable, Timeout: new(int),
				Where: row(d.UUID), Columns: []string{"tunnel_key"}, Until: string(ovsdb.WaitConditionEqual),
				Rows: []ovsdb.Row{{"tunnel_key": d.TunnelKey}},
			}}, true
		}
	}
	return nil, false
}

// ApplyRemotes makes the database hold these chassis. With prune it removes others that
// it made before. Nothing is written where nothing differs. It returns the
// names of those that somebody else's chassis stands for, or stands in the way of.
// Without a connection the error is [ErrNotConnected].
func (z *Zone) ApplyRemotes(ctx context.Context, want []Remote, prune bool) (foreign []string, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for conflicts := 0; ; conflicts++ {
		s, err := z.conn.now()
		if err != nil {
			return nil, fmt.Errorf("apply remote chassis: %w", err)
		}
		ops, foreign := remoteOperations(remotesIn(s), want, prune)
		if len(ops) == 0 {
			return foreign, nil
		}
		if err = s.transact(ctx, ops); err == nil {
			return foreign, nil
		}
		if !errors.Is(err, errConflict) || conflicts == maxConflicts {
			return foreign, fmt.Errorf("apply remote chassis: %w", err)
		}
	}
}

// TunnelKeys are those that northd has given to the switches of networks. It gives
// another than is requested where a datapath has that, and only its log tells.
// Without a connection the error is [ErrNotConnected].
func (z *Zone) TunnelKeys() (map[Key]int, error) {
	s, err := z.conn.now()
	if err != nil {
		return nil, fmt.Errorf("list tunnel keys: %w", err)
	}
	keys := map[Key]int{}
	for _, row := range s.cache.Table(sb.DatapathBindingTable).RowsShallow() {
		d := row.(*sb.DatapathBinding)
		if key, is := ownerKey(nil, d.ExternalIDs["name"]); is {
			keys[key] = d.TunnelKey
		}
	}
	return keys, nil
}
