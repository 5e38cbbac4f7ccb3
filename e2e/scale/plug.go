package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/e2e/scale/stack"
)

// What is measured of an interface, from its plugging until ovn-installed.
const (
	firstOf = "first interface of a network on the node"
	nextOf  = "next interface of that network"
	hotOf   = "first one, its port written at that moment"
)

var order = []string{firstOf, nextOf, hotOf}

// rounds plugs interfaces on each chassis in turn, and removes them again.
func (m *monitoring) rounds(ctx context.Context, n int) (map[int]map[string][]float64, error) {
	took := map[int]map[string][]float64{all: {}, some: {}, kept: {}}
	for round := range n {
		for _, i := range columns {
			if err := m.round(ctx, m.plugs[i], fmt.Sprintf("c%d-%d-%d", i, n, round), took[i]); err != nil {
				return nil, err
			}
		}
	}
	return took, nil
}

func (m *monitoring) round(ctx context.Context, p *plugs, name string, took map[string][]float64) error {
	if err := m.nb.networks(ctx, name, 0, 1, 2); err != nil {
		return err
	}
	ports := []string{portOf(name, 0, 0), portOf(name, 0, 1)}
	for _, port := range ports {
		if err := m.sb.await(ctx, port); err != nil {
			return err
		}
	}
	for i, what := range []string{firstOf, nextOf} {
		d, err := p.plug(ctx, ports[i])
		if err != nil {
			return err
		}
		took[what] = append(took[what], milliseconds(d))
	}
	hot := name + "-hot"
	if err := m.nb.networks(ctx, hot, 0, 1, 1); err != nil {
		return err
	}
	d, err := p.plug(ctx, portOf(hot, 0, 0))
	if err != nil {
		return err
	}
	took[hotOf] = append(took[hotOf], milliseconds(d))
	if err := p.unplug(ctx); err != nil {
		return err
	}
	if err := m.nb.remove(ctx, name, hot); err != nil {
		return err
	}
	return pause(ctx, 50*time.Millisecond)
}

// plugs are the interfaces of a chassis.
type plugs struct {
	chassis *stack.Chassis
	*database

	plugged []string
}

// plug adds an interface to br-int, as the agent does, and returns how long it takes until ovn-installed.
func (p *plugs) plug(ctx context.Context, port string) (time.Duration, error) {
	began := time.Now()
	err := p.transact(ctx,
		ovsdb.Operation{Op: ovsdb.OperationInsert, Table: "Interface", UUIDName: "i", Row: ovsdb.Row{
			"name": device(port), "type": "internal", "external_ids": ovsdb.OvsMap{GoMap: map[any]any{"iface-id": port}},
		}},
		ovsdb.Operation{Op: ovsdb.OperationInsert, Table: "Port", UUIDName: "p", Row: ovsdb.Row{
			"name": device(port), "interfaces": ovsdb.UUID{GoUUID: "i"},
		}},
		mutatePorts("Bridge", "br-int", ovsdb.MutateOperationInsert, "p"),
	)
	if err != nil {
		return 0, fmt.Errorf("plug %q: %w", port, err)
	}
	p.plugged = append(p.plugged, port)
	if err := p.await(ctx, device(port)); err != nil {
		return 0, err
	}
	return p.when(device(port)).Sub(began), nil
}

func mutatePorts(table, name string, how ovsdb.Mutator, uuids ...string) ovsdb.Operation {
	var set ovsdb.OvsSet
	for _, uuid := range uuids {
		set.GoSet = append(set.GoSet, ovsdb.UUID{GoUUID: uuid})
	}
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: table,
		Where:     []ovsdb.Condition{{Column: "name", Function: ovsdb.ConditionEqual, Value: name}},
		Mutations: []ovsdb.Mutation{{Column: "ports", Mutator: how, Value: set}},
	}
}

// unplug removes all that plug has added.
func (p *plugs) unplug(ctx context.Context) error {
	var uuids []string
	rows := p.client.Cache().Table("Port").RowsShallow()
	for uuid, row := range rows {
		for _, port := range p.plugged {
			if row.(*ovsPort).Name == device(port) {
				uuids = append(uuids, uuid)
			}
		}
	}
	p.plugged = nil
	return p.transact(ctx, mutatePorts("Bridge", "br-int", ovsdb.MutateOperationDelete, uuids...))
}

// device is the name of a port's interface, which Linux would limit to 15 characters.
func device(port string) string { return "d" + port[:min(len(port), 14)] }
