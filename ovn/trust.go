package ovn

import (
	"context"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// trustKey is the key of NB_Global:external_ids that [Client.Trust] writes, and
// that manifests/ovn-central/scripts/ovsdb.sh reads.
const trustKey = "l2sm-node-trust"

// Trust writes which authorities' certificates the southbound database takes
// for nodes', in PEM. The server of that database follows it at once: a client
// of the northbound database decides already what nodes do, so it may decide who
// is one, and no file has to reach the server's pod. It goes when the database
// goes. What is there already is not written.
//
// Waiting and errors are as with [Client.Apply].
func (c *Client) Trust(ctx context.Context, authorities string) error {
	err := c.commit(ctx, func(r replica) ([]ovsdb.Operation, error) {
		return trust(r.global(), authorities), nil
	})
	if err != nil {
		return fmt.Errorf("write the nodes' authorities to the northbound database: %w", err)
	}
	return nil
}

// trust makes the only row of NB_Global where northd has not come to it yet.
func trust(global *nb.NBGlobal, authorities string) []ovsdb.Operation {
	ids := map[string]string{trustKey: authorities}
	if global == nil {
		return []ovsdb.Operation{{Op: ovsdb.OperationInsert, Table: nb.NBGlobalTable, Row: ovsdb.Row{"external_ids": stringMap(ids)}}}
	}
	return []ovsdb.Operation{label(nb.NBGlobalTable, global.UUID, ids)}
}
