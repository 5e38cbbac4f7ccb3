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
)

// Rows of the northbound database, as far as they are looked at.
type (
	switchRow struct {
		UUID string `ovsdb:"_uuid"`
		Name string `ovsdb:"name"`
	}
	portRow struct {
		UUID string `ovsdb:"_uuid"`
		Name string `ovsdb:"name"`
	}
)

// northbound follows the switches and ports by a monitor of its own, and notes when a port came.
type northbound struct {
	endpoint string

	mu       sync.Mutex
	client   client.Client
	switches map[string]bool
	ports    map[string]time.Time
}

func watchNorthbound(ctx context.Context, endpoint string) (*northbound, error) {
	n := &northbound{endpoint: endpoint}
	return n, n.dial(ctx)
}

// dial connects, also again after the database was lost, and forgets what it held.
func (n *northbound) dial(ctx context.Context) error {
	n.Close()
	n.mu.Lock()
	n.switches, n.ports = map[string]bool{}, map[string]time.Time{}
	n.mu.Unlock()
	db, err := model.NewClientDBModel("OVN_Northbound", map[string]model.Model{"Logical_Switch": &switchRow{}, "Logical_Switch_Port": &portRow{}})
	if err != nil {
		return err
	}
	logger := logr.Discard()
	c, err := client.NewOVSDBClient(db, client.WithEndpoint(n.endpoint), client.WithLogger(&logger))
	if err != nil {
		return err
	}
	if err := c.Connect(ctx); err != nil {
		return fmt.Errorf("connect to the northbound database: %w", err)
	}
	c.Cache().AddEventHandler(&cache.EventHandlerFuncs{AddFunc: n.added, DeleteFunc: n.deleted})
	s, p := &switchRow{}, &portRow{}
	if _, err := c.Monitor(ctx, c.NewMonitor(client.WithTable(s, &s.Name), client.WithTable(p, &p.Name))); err != nil {
		c.Close()
		return fmt.Errorf("monitor the northbound database: %w", err)
	}
	n.client = c
	return nil
}

func (n *northbound) added(_ string, row model.Model) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r := row.(type) {
	case *switchRow:
		n.switches[r.Name] = true
	case *portRow:
		n.ports[r.Name] = time.Now()
	}
}

func (n *northbound) deleted(_ string, row model.Model) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r := row.(type) {
	case *switchRow:
		delete(n.switches, r.Name)
	case *portRow:
		delete(n.ports, r.Name)
	}
}

func (n *northbound) counts() (switches, ports int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.switches), len(n.ports)
}

// port returns when the port came.
func (n *northbound) port(name string) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.ports[name]
	return at, ok
}

// Close ends the connection.
func (n *northbound) Close() {
	if n.client != nil {
		n.client.Close()
		n.client = nil
	}
}
