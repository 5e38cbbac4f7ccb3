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

// What one port costs is the same on a small network and on a large one, and
// beside few networks and many: libovsdb's part and the check of what came back
// included. Bytes tell of rows and tables that are copied, allocations of those
// that are walked.
func TestWorkIsOfTheChange(t *testing.T) {
	small := costOfOnePort(t, 100, 10)
	for name, large := range map[string]cost{
		"10,000 ports": costOfOnePort(t, 10000, 10), "5,000 networks": costOfOnePort(t, 100, 5000),
	} {
		t.Logf("small %+v, with %s %+v", small, name, large)
		if large.bytes > 2*small.bytes || large.allocations > 2*small.allocations {
			t.Errorf("cost of one port with %s: %+v, in a small database: %+v", name, large, small)
		}
	}
}

// cost is what a call allocates.
type cost struct {
	bytes, allocations uint64
}

func costOfOnePort(t *testing.T, ports, networks int) cost {
	t.Helper()
	client := dialServer(t, ovntest.NewNorthbound(t))
	n := benchmarkNetwork(ports)
	mustApply(t, client, n)
	emptyNetworks(t, client, networks)

	const runs = 100
	var before, after runtime.MemStats
	onePort(t, client, n, 0)
	onePort(t, client, n, 1)
	runtime.ReadMemStats(&before)
	for turn := range runs {
		onePort(t, client, n, turn)
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
