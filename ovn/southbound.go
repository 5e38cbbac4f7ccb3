package ovn

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// Southbound keeps one southbound database as its nodes need it. It removes what
// stays behind: the chassis of nodes that are gone, and what OVN learned of pods
// that flood it with MAC addresses. An ovn-controller registers its chassis by
// itself; it removes it only when it is stopped gracefully, and a node that dies
// never is. And it registers the nodes in a database that starts empty, see
// [Southbound.Register].
type Southbound struct {
	conn    *connection
	changes chan struct{}
	filled  chan struct{}
	learned *learned
}

// DialSouthbound is [Dial] for a southbound database.
func DialSouthbound(ctx context.Context, cfg Config) (*Southbound, error) {
	db, err := southboundDatabase()
	if err != nil {
		return nil, fmt.Errorf("build southbound model: %w", err)
	}

	s := &Southbound{changes: make(chan struct{}, 1), filled: make(chan struct{}, 1), learned: newLearned()}
	s.conn, err = dial(ctx, cfg, db, s.watch)
	if err != nil {
		return nil, fmt.Errorf("dial southbound database: %w", err)
	}
	return s, nil
}

func southboundDatabase() (database, error) {
	chassis, fdb, global := &sb.Chassis{}, &sb.FDB{}, &sb.SBGlobal{}
	db, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{
		sb.ChassisTable: chassis, sb.FDBTable: fdb, sb.SBGlobalTable: global,
	})
	return database{model: db, tables: []client.MonitorOption{
		client.WithTable(chassis, &chassis.Name, &chassis.OtherConfig),
		client.WithTable(fdb, &fdb.DpKey, &fdb.PortKey),
		client.WithTable(global, &global.NbCfg, &global.ExternalIDs),
	}}, err
}

// Close ends the client.
func (s *Southbound) Close() {
	s.conn.close()
}

// Connected says that there is a connection and that it has read the database.
func (s *Southbound) Connected() bool {
	_, err := s.conn.now()
	return err == nil
}

// Changes receives a value after a connection was made or a chassis appeared,
// or got another configuration: it is time to compare [Southbound.Chassis] with the nodes. Values that are
// not taken are kept as one. The channel is never closed.
func (s *Southbound) Changes() <-chan struct{} {
	return s.changes
}

func (s *Southbound) watch(session *session) {
	s.learned.reset()
	session.cache.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(table string, row model.Model) { s.signal(table); s.learned.add(row); s.tellFilled(row) },
		UpdateFunc: func(table string, _, row model.Model) { s.signal(table); s.tellFilled(row) },
		DeleteFunc: func(_ string, row model.Model) { s.learned.remove(row) },
	})
	for _, row := range session.cache.Table(sb.FDBTable).RowsShallow() {
		s.learned.add(row)
	}
	for _, row := range session.cache.Table(sb.SBGlobalTable).RowsShallow() {
		s.tellFilled(row)
	}
	s.signal(sb.ChassisTable)
}

func (s *Southbound) signal(table string) {
	if table != sb.ChassisTable {
		return
	}
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// ChassisMark says, among a node's ovn-cms-options, that its chassis is one of
// l2sm's. Of all that Open_vSwitch external_ids can say, this alone is free
// text that ovn-controller copies into its Chassis (ovn-controller(8)).
const ChassisMark = "l2sm"

// Chassis returns the names of the chassis that carry [ChassisMark], in order:
// those of anybody else are none of our business. The name is the node's
// system-id. Without a connection the error is [ErrNotConnected].
func (s *Southbound) Chassis() ([]string, error) {
	session, err := s.conn.now()
	if err != nil {
		return nil, fmt.Errorf("list chassis: %w", err)
	}

	var names []string
	for _, row := range session.cache.Table(sb.ChassisTable).RowsShallow() {
		chassis := row.(*sb.Chassis)
		if marked(chassis) {
			names = append(names, chassis.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func marked(row *sb.Chassis) bool {
	return slices.Contains(strings.Split(row.OtherConfig["ovn-cms-options"], ","), ChassisMark)
}

// DeleteChassis removes what a chassis left: its rows in Chassis and
// Chassis_Private, and with them its tunnels from every other node. It does
// nothing when there are none. An ovn-controller that still runs registers
// again.
func (s *Southbound) DeleteChassis(ctx context.Context, name string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	session, err := s.conn.wait(ctx)
	if err != nil {
		return fmt.Errorf("delete chassis %q: %w", name, err)
	}

	where := []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, name)}
	err = session.transact(ctx, []ovsdb.Operation{
		{Op: ovsdb.OperationDelete, Table: sb.ChassisTable, Where: where},
		{Op: ovsdb.OperationDelete, Table: sb.ChassisPrivateTable, Where: where},
	})
	if err != nil {
		return fmt.Errorf("delete chassis %q: %w", name, err)
	}
	return nil
}
