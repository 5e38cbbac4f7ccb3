package ovn

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
	"l2sm.io/l2sm/ovn/ovntest"
)

// What one change costs is the same in a small network and in a large one, and
// beside few networks and many: libovsdb's part and the check of what came back
// included. Bytes tell of rows and tables that are copied, allocations of those
// that are walked.
func TestWorkIsOfTheChange(t *testing.T) {
	small := costs(t, 100, 10)
	for size, large := range map[string]map[string]cost{
		"10,000 ports": costs(t, 10000, 10), "5,000 networks": costs(t, 100, 5000),
	} {
		for change, got := range large {
			want := small[change]
			t.Logf("%s with %s: %+v, in a small database %+v", change, size, got, want)
			if got.bytes > 2*want.bytes || got.allocations > 2*want.allocations {
				t.Errorf("%s with %s: %+v, in a small database %+v", change, size, got, want)
			}
		}
	}
}

// cost is what a call allocates.
type cost struct {
	bytes, allocations uint64
}

// costs returns what changes cost in a database of that size.
func costs(t *testing.T, ports, networks int) map[string]cost {
	t.Helper()
	client := dialServer(t, ovntest.NewNorthbound(t))
	n := benchmarkNetwork(ports)
	mustApply(t, client, n)
	emptyNetworks(t, client, networks)
	target := Network{Key: Key{Namespace: "default", Name: "target"}}
	mustApply(t, client, target)

	return map[string]cost{
		"add or remove a port": costOf(func(turn int) { onePort(t, client, n, turn) }),
		"move a port": costOf(func(turn int) {
			to := []Network{target, n}[turn%2]
			to.Ports = nil
			if _, err := client.ApplyPorts(context.Background(), PortChanges{Network: to, Set: n.Ports[:1]}); err != nil {
				t.Error(err)
			}
		}),
		"create a network": costOf(func(turn int) {
			mustApply(t, client, Network{Key: Key{Namespace: "default", Name: fmt.Sprintf("new-%d", turn)}})
		}),
	}
}

func costOf(change func(turn int)) cost {
	const runs = 50
	var before, after runtime.MemStats
	change(0)
	change(1)
	runtime.ReadMemStats(&before)
	for turn := range runs {
		change(turn + 2)
	}
	runtime.ReadMemStats(&after)
	return cost{(after.TotalAlloc - before.TotalAlloc) / runs, (after.Mallocs - before.Mallocs) / runs}
}

// emptyNetworks fills the database with so many networks, in one transaction.
func emptyNetworks(t *testing.T, client *Client, count int) {
	t.Helper()
	err := client.commit(context.Background(), func(replica) ([]ovsdb.Operation, error) {
		var ops []ovsdb.Operation
		for i := range count {
			n := Network{Key: Key{Namespace: "default", Name: fmt.Sprintf("other-%d", i)}}
			ops = append(ops, ovsdb.Operation{
				Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchTable,
				Row: ovsdb.Row{"name": n.Switch(), "external_ids": stringMap(networkIDs(n))},
			})
		}
		return ops, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
