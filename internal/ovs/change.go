package ovs

import (
	"context"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// Change adds ports to the integration bridge and removes others, by name, in
// one transaction: ovn-controller never sees two interfaces of one logical
// port, which would cut both off. Names that are not there are removed
// already. It returns when the database has committed.
func (c *Client) Change(ctx context.Context, add []Port, remove []string) error {
	if err := c.change(ctx, add, remove); err != nil {
		return fmt.Errorf("change ports of bridge %s: %w", IntegrationBridge, err)
	}
	return nil
}

func (c *Client) change(ctx context.Context, add []Port, remove []string) error {
	bridge, err := c.bridge(ctx)
	if err != nil {
		return err
	}
	removed, err := c.portRows(ctx, remove)
	if err != nil {
		return err
	}
	if len(add)+len(removed) == 0 {
		return nil
	}
	results, err := c.db.Transact(ctx, func(db client.Client) ([]ovsdb.Operation, error) {
		return changePorts(db, bridge, add, removed)
	})
	if err != nil {
		return err
	}
	if results[0].Count == 0 {
		return ErrNoBridge
	}
	return nil
}

// portRows returns the UUIDs of the Port rows of these names that exist.
func (c *Client) portRows(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := replica.List[vs.Port](ctx, c.db)
	if err != nil {
		return nil, err
	}
	byName := map[string]string{}
	for _, row := range rows {
		byName[row.Name] = row.UUID
	}
	var uuids []string
	for _, name := range names {
		if uuid, exists := byName[name]; exists {
			uuids = append(uuids, uuid)
		}
	}
	return uuids, nil
}

// changePorts returns the operations: the bridge's first, whose count tells
// whether it is still there, then the new rows. The server drops rows that no
// bridge refers to.
func changePorts(db client.Client, bridge *vs.Bridge, add []Port, removed []string) ([]ovsdb.Operation, error) {
	var inserts []ovsdb.Operation
	var added []string
	for i, p := range add {
		iface := &vs.Interface{UUID: fmt.Sprintf("interface%d", i), Name: p.Name, ExternalIDs: externalIDs(p)}
		port := &vs.Port{UUID: fmt.Sprintf("port%d", i), Name: p.Name, Interfaces: []string{iface.UUID}}
		rows, err := create(db, iface, port)
		if err != nil {
			return nil, fmt.Errorf("add port %q: %w", p.Name, err)
		}
		inserts, added = append(inserts, rows...), append(added, port.UUID)
	}

	var mutations []model.Mutation
	if len(removed) > 0 {
		mutations = append(mutations, model.Mutation{Field: &bridge.Ports, Mutator: ovsdb.MutateOperationDelete, Value: removed})
	}
	if len(added) > 0 {
		mutations = append(mutations, model.Mutation{Field: &bridge.Ports, Mutator: ovsdb.MutateOperationInsert, Value: added})
	}
	mutate, err := db.Where(bridge).Mutate(bridge, mutations...)
	if err != nil {
		return nil, err
	}
	return append(mutate, inserts...), nil
}

// create is Create of several tables: libovsdb takes one a call.
func create(db client.Client, iface *vs.Interface, port *vs.Port) ([]ovsdb.Operation, error) {
	i, errInterface := db.Create(iface)
	p, errPort := db.Create(port)
	return append(i, p...), errors.Join(errInterface, errPort)
}

// Settle returns when ovs-vswitchd has acted on everything committed before.
// It is needed before a device is made again under a removed port's name:
// seeing both changes at once, ovs-vswitchd would keep the dead device.
func (c *Client) Settle(ctx context.Context) error {
	want, err := c.raiseNextCfg(ctx)
	if err != nil {
		return fmt.Errorf("raise next_cfg: %w", err)
	}
	return c.waitConfigured(ctx, want)
}

// raiseNextCfg returns the value that cur_cfg takes once ovs-vswitchd has
// acted: what ovs-vsctl(8) waits for unless told --no-wait.
func (c *Client) raiseNextCfg(ctx context.Context) (int, error) {
	roots, err := replica.List[vs.OpenvSwitch](ctx, c.db)
	if err != nil {
		return 0, err
	}
	if len(roots) != 1 {
		return 0, fmt.Errorf("table %s has %d rows, want 1", vs.OpenvSwitchTable, len(roots))
	}
	root := roots[0]
	results, err := c.db.Transact(ctx, func(db client.Client) ([]ovsdb.Operation, error) {
		raise, err := db.Where(root).Mutate(root, model.Mutation{Field: &root.NextCfg, Mutator: ovsdb.MutateOperationAdd, Value: 1})
		return append(raise, ovsdb.Operation{
			Op: ovsdb.OperationSelect, Table: vs.OpenvSwitchTable, Columns: []string{"next_cfg"},
			Where: []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: root.UUID})},
		}), err
	})
	if err != nil {
		return 0, err
	}
	for _, row := range results[len(results)-1].Rows {
		if n, ok := row["next_cfg"].(float64); ok {
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("no next_cfg in %v", results)
}
