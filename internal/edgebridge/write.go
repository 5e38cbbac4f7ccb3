package edgebridge

import (
	"context"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// bring brings the database in line with wanted. The caller holds writing.
func (b *Bridge) bring(ctx context.Context) error {
	if b.wanted == nil {
		return nil
	}
	if err := b.apply(ctx, *b.wanted); err != nil {
		return fmt.Errorf("bring bridge %s in line: %w", Name, err)
	}
	return nil
}

func (b *Bridge) apply(ctx context.Context, c Config) error {
	f, err := b.gather(ctx, c)
	if err != nil {
		return err
	}
	if f.integration == nil {
		return ovs.ErrNoBridge
	}
	p := decide(f, c)
	gone, err := b.portRows(ctx, p.remove)
	if err != nil {
		return err
	}
	return b.transact(ctx, func(o *operations) {
		o.bridge(f, p, gone)
		o.outlet(f, p)
		for _, iface := range p.change {
			o.add(o.db.Where(iface).Update(iface, &iface.Type, &iface.Options, &iface.BFD, &iface.ExternalIDs))
		}
		o.mappings(f.root, p.mappings)
	})
}

func (b *Bridge) remove(ctx context.Context) error {
	f, err := b.gather(ctx, Config{})
	if err != nil {
		return err
	}
	return b.transact(ctx, func(o *operations) {
		if f.edge != nil {
			o.mutate(f.root, &f.root.Bridges, ovsdb.MutateOperationDelete, []string{f.edge.UUID})
		}
		o.outlet(f, plan{former: former(f, Config{})})
		o.mappings(f.root, unmapped(f.root.ExternalIDs[keyMappings]))
	})
}

// gather reads the rows that decide needs: none of networks' patch ports.
func (b *Bridge) gather(ctx context.Context, c Config) (found, error) {
	f := found{outlets: map[string]*vs.Bridge{}, tunnels: map[string]*vs.Interface{}}
	roots, err := replica.List[vs.OpenvSwitch](ctx, b.db)
	if err != nil {
		return f, err
	}
	if len(roots) != 1 {
		return f, fmt.Errorf("table %s has %d rows, want 1", vs.OpenvSwitchTable, len(roots))
	}
	f.root = roots[0]
	bridges, err := replica.List[vs.Bridge](ctx, b.db)
	if err != nil {
		return f, err
	}
	for _, bridge := range bridges {
		switch {
		case bridge.Name == ovs.IntegrationBridge:
			f.integration = bridge
		case bridge.Name == Name:
			f.edge = bridge
		case bridge.ExternalIDs[keyEdge] == outlet:
			f.outlets[bridge.Name] = bridge
		}
	}
	if c.Outlet != nil {
		if f.outletPort, err = replica.Get(ctx, b.db, &vs.Port{Name: c.Outlet.Port}); err != nil {
			return f, err
		}
	}
	names := b.oursAre()
	for name := range desired(c) {
		names[name] = struct{}{}
	}
	for name := range names {
		iface := &vs.Interface{Name: name}
		exists, err := replica.Get(ctx, b.db, iface)
		if err != nil {
			return f, err
		}
		if exists {
			f.tunnels[name] = iface
		}
	}
	return f, nil
}

// portRows returns the UUIDs of the Port rows of these names that exist.
func (b *Bridge) portRows(ctx context.Context, names []string) ([]string, error) {
	var uuids []string
	for _, name := range names {
		port := &vs.Port{Name: name}
		exists, err := replica.Get(ctx, b.db, port)
		if err != nil {
			return nil, err
		}
		if exists {
			uuids = append(uuids, port.UUID)
		}
	}
	return uuids, nil
}

// transact commits the operations, if there are any.
func (b *Bridge) transact(ctx context.Context, describe func(*operations)) error {
	_, err := b.db.Transact(ctx, func(db client.Client) ([]ovsdb.Operation, error) {
		o := &operations{db: db}
		describe(o)
		return o.ops, o.err
	})
	return err
}

// operations are those of one transaction. The first error stays.
type operations struct {
	db  client.Client
	ops []ovsdb.Operation
	err error
}

func (o *operations) add(ops []ovsdb.Operation, err error) {
	o.ops = append(o.ops, ops...)
	if o.err == nil {
		o.err = err
	}
}

func (o *operations) mutate(row model.Model, field any, mutator ovsdb.Mutator, value any) {
	o.add(o.db.Where(row).Mutate(row, model.Mutation{Field: field, Mutator: mutator, Value: value}))
}

// mappings replaces the value that was read. If another has been written meanwhile, neither
// mutation does anything, and the change that follows has it looked at again: no mapping of
// others is lost (RFC 7047 section 5.1).
func (o *operations) mappings(root *vs.OpenvSwitch, value string) {
	old, exists := root.ExternalIDs[keyMappings]
	if value == old {
		return
	}
	if exists {
		o.mutate(root, &root.ExternalIDs, ovsdb.MutateOperationDelete, map[string]string{keyMappings: old})
	}
	if value != "" {
		o.mutate(root, &root.ExternalIDs, ovsdb.MutateOperationInsert, map[string]string{keyMappings: value})
	}
}

// bridge makes, repairs and fills the bridge.
func (o *operations) bridge(f found, p plan, gone []string) {
	var added []string
	for i, iface := range p.add {
		added = append(added, o.port(iface, i))
	}
	secure := vs.BridgeFailModeSecure
	if p.create {
		// Every bridge has a port of its own name, ovs-vsctl(8) add-br.
		local := o.port(&vs.Interface{Name: Name, Type: "internal"}, len(p.add))
		made := &vs.Bridge{UUID: "edge", Name: Name, DatapathType: p.datapath, FailMode: &secure, Ports: append(added, local)}
		o.add(o.db.Create(made))
		o.mutate(f.root, &f.root.Bridges, ovsdb.MutateOperationInsert, []string{made.UUID})
		return
	}
	if p.repair {
		f.edge.DatapathType, f.edge.FailMode = p.datapath, &secure
		o.add(o.db.Where(f.edge).Update(f.edge, &f.edge.DatapathType, &f.edge.FailMode))
	}
	if len(added) > 0 {
		o.mutate(f.edge, &f.edge.Ports, ovsdb.MutateOperationInsert, added)
	}
	if len(gone) > 0 {
		o.mutate(f.edge, &f.edge.Ports, ovsdb.MutateOperationDelete, gone)
	}
}

// outlet makes the bridge that tunnels leave through, and takes away former ones.
func (o *operations) outlet(f found, p plan) {
	for _, former := range p.former {
		o.mutate(f.root, &f.root.Bridges, ovsdb.MutateOperationDelete, []string{former.UUID})
	}
	if p.outlet == nil {
		return
	}
	link := o.port(&vs.Interface{Name: p.outlet.Port}, len(p.add)+1)
	if has := f.outlets[p.outlet.Bridge]; has != nil {
		o.mutate(has, &has.Ports, ovsdb.MutateOperationInsert, []string{link})
		return
	}
	// It switches as any bridge does: it needs no flows (fail_mode).
	standalone := vs.BridgeFailModeStandalone
	local := o.port(&vs.Interface{Name: p.outlet.Bridge, Type: "internal"}, len(p.add)+2)
	made := &vs.Bridge{
		UUID: "outlet", Name: p.outlet.Bridge, DatapathType: p.datapath, FailMode: &standalone, Ports: []string{link, local},
		OtherConfig: map[string]string{"hwaddr": p.outlet.MAC}, ExternalIDs: map[string]string{keyEdge: outlet},
	}
	o.add(o.db.Create(made))
	o.mutate(f.root, &f.root.Bridges, ovsdb.MutateOperationInsert, []string{made.UUID})
}

// port makes an interface with its port, and returns the port's name in the transaction.
func (o *operations) port(iface *vs.Interface, n int) string {
	iface.UUID = fmt.Sprintf("interface%d", n)
	port := &vs.Port{UUID: fmt.Sprintf("port%d", n), Name: iface.Name, Interfaces: []string{iface.UUID}}
	o.add(o.db.Create(iface))
	o.add(o.db.Create(port))
	return port.UUID
}
