package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/e2e/scale/stack"
)

// Rows of the databases that monitor looks at.
type (
	binding struct {
		UUID        string `ovsdb:"_uuid"`
		LogicalPort string `ovsdb:"logical_port"`
		// Not looked at, but libovsdb keeps every index of the schema, and needs its columns.
		Datapath  string `ovsdb:"datapath"`
		TunnelKey int    `ovsdb:"tunnel_key"`
	}
	ovsPort struct {
		UUID string `ovsdb:"_uuid"`
		Name string `ovsdb:"name"`
	}
	ovsInterface struct {
		UUID        string            `ovsdb:"_uuid"`
		Name        string            `ovsdb:"name"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
	}
)

// database is a connection that notes when something came: a port's binding, or an interface that is installed.
type database struct {
	client client.Client

	mu   sync.Mutex
	came map[string]time.Time
}

var models = map[string]map[string]model.Model{
	"OVN_Northbound": {"Logical_Switch": &switchRow{}},
	"OVN_Southbound": {"Port_Binding": &binding{}},
	"Open_vSwitch":   {"Port": &ovsPort{}, "Interface": &ovsInterface{}},
}

func openDatabase(ctx context.Context, endpoint, name string) (*database, error) {
	d := &database{came: map[string]time.Time{}}
	s, b, p, i := &switchRow{}, &binding{}, &ovsPort{}, &ovsInterface{}
	tables := map[string][]client.MonitorOption{
		"OVN_Northbound": {client.WithTable(s, &s.Name)},
		"OVN_Southbound": {client.WithTable(b, &b.LogicalPort, &b.Datapath, &b.TunnelKey)},
		"Open_vSwitch":   {client.WithTable(p, &p.Name), client.WithTable(i, &i.Name, &i.ExternalIDs)},
	}
	var err error
	d.client, err = follow(ctx, endpoint, name, models[name], d.note, nil, tables[name]...)
	return d, err
}

// follow connects to a database and tells of rows that come or change, and of those that go
// where anybody wants to know.
func follow(ctx context.Context, endpoint, name string, rows map[string]model.Model, note, lose func(model.Model), tables ...client.MonitorOption) (client.Client, error) {
	db, err := model.NewClientDBModel(name, rows)
	if err != nil {
		return nil, err
	}
	logger := logr.Discard()
	c, err := client.NewOVSDBClient(db, client.WithEndpoint(endpoint), client.WithLogger(&logger))
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		return nil, fmt.Errorf("connect to %s at %q: %w", name, endpoint, err)
	}
	handler := &cache.EventHandlerFuncs{
		AddFunc: func(_ string, row model.Model) { note(row) }, UpdateFunc: func(_ string, _, row model.Model) { note(row) },
	}
	if lose != nil {
		handler.DeleteFunc = func(_ string, row model.Model) { lose(row) }
	}
	c.Cache().AddEventHandler(handler)
	if _, err := c.Monitor(ctx, c.NewMonitor(tables...)); err != nil {
		c.Close()
		return nil, fmt.Errorf("monitor %s at %q: %w", name, endpoint, err)
	}
	return c, nil
}

func (d *database) note(row model.Model) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r := row.(type) {
	case *binding:
		d.came[r.LogicalPort] = time.Now()
	case *ovsInterface:
		if _, seen := d.came[r.Name]; !seen && r.ExternalIDs["ovn-installed"] == "true" {
			d.came[r.Name] = time.Now()
		}
	}
}

func (d *database) when(name string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.came[name]
}

func (d *database) await(ctx context.Context, name string) error {
	return stack.Until(ctx, time.Minute, time.Millisecond/2, name+" has come", func() bool { return !d.when(name).IsZero() })
}

// Close ends the connection, if there is one.
func (d *database) Close() {
	if d != nil && d.client != nil {
		d.client.Close()
	}
}

func (d *database) transact(ctx context.Context, ops ...ovsdb.Operation) error {
	results, err := d.client.Transact(ctx, ops...)
	if err != nil {
		return err
	}
	_, err = ovsdb.CheckOperationResults(results, ops)
	return err
}

// batch is how many networks one transaction makes.
const batch = 200

func switchOf(name string, i int) string     { return fmt.Sprintf("%s-%d", name, i) }
func portOf(name string, i, port int) string { return fmt.Sprintf("%s-%d-%d", name, i, port) }

// networks makes switches with ports, as l2sm does.
func (d *database) networks(ctx context.Context, name string, from, n, ports int) error {
	var ops []ovsdb.Operation
	for i := from; i < from+n; i++ {
		var set ovsdb.OvsSet
		for p := range ports {
			id := fmt.Sprintf("p%d_%d", i, p)
			mac := fmt.Sprintf("0a:58:%02x:%02x:%02x:%02x", i>>16&255, i>>8&255, i&255, p&255)
			address := fmt.Sprintf("%s 10.%d.%d.%d", mac, i>>8&255, i&255, p+1)
			set.GoSet = append(set.GoSet, ovsdb.UUID{GoUUID: id})
			ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationInsert, Table: "Logical_Switch_Port", UUIDName: id, Row: ovsdb.Row{
				"name": portOf(name, i, p), "addresses": address, "port_security": address,
			}})
		}
		ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationInsert, Table: "Logical_Switch", UUIDName: fmt.Sprintf("s%d", i), Row: ovsdb.Row{
			"name": switchOf(name, i), "ports": set,
		}})
	}
	if err := d.transact(ctx, ops...); err != nil {
		return fmt.Errorf("make networks %q: %w", name, err)
	}
	return nil
}

// remove deletes the only switch of each name.
func (d *database) remove(ctx context.Context, names ...string) error {
	var ops []ovsdb.Operation
	for _, name := range names {
		ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationDelete, Table: "Logical_Switch",
			Where: []ovsdb.Condition{{Column: "name", Function: ovsdb.ConditionEqual, Value: switchOf(name, 0)}}})
	}
	return d.transact(ctx, ops...)
}
