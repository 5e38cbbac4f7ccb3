package ovn

import (
	"context"
	"fmt"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

func (c *Client) applyPorts(ctx context.Context, ch PortChanges) (Result, error) {
	defer c.changes.expectPorts(ch)()

	n := ch.network()
	var plan Plan
	err := c.commit(ctx, func(r replica) ([]ovsdb.Operation, error) {
		actual, err := r.state(n)
		if err != nil {
			return nil, err
		}
		actual.ports = slices.DeleteFunc(actual.ports, func(row portRow) bool {
			return !slices.Contains(ch.Remove, row.name) && !slices.Contains(portNames(n), row.name)
		})
		plan, err = Diff(n, actual)
		return plan.operations(), err
	})
	if err != nil {
		return Result{}, fmt.Errorf("apply ports of network %q: %w", ch.Key, err)
	}
	return plan.result(), nil
}

func portNames(n Network) []string {
	var names []string
	for _, p := range n.Ports {
		names = append(names, p.Name)
	}
	return names
}

func (c *changes) expectPorts(ch PortChanges) func() {
	c.mu.Lock()
	var all []Port
	if before := c.expected[ch.Key]; before != nil {
		all = before.Ports
	}
	set := portNames(ch.network())
	all = slices.DeleteFunc(slices.Clone(all), func(p Port) bool {
		return slices.Contains(ch.Remove, p.Name) || slices.Contains(set, p.Name)
	})
	c.mu.Unlock()
	n := ch.Network
	n.Ports = append(all, ch.Set...)
	return c.expect(n)
}
