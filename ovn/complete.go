package ovn

import (
	"context"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// Complete marks the database as complete if it holds a switch for each of the
// networks, and says whether it is so marked now. A database that starts empty
// looks like one from which every network was removed; the mark tells them
// apart, so that no node obeys it before it has been filled.
//
// The mark is NB_Global:nb_cfg above zero. northd copies it to SB_Global in the
// transaction that brings the southbound database in line (ovn-nb(5),
// NB_Global), so there it says the same. It goes when the database goes, and is
// set once: a marked database is not written to.
//
// What is read and what is marked is the same server's. Waiting and errors are
// as with [Client.Apply].
func (c *Client) Complete(ctx context.Context, networks []Key) (bool, error) {
	complete := false
	err := c.commit(ctx, func(r replica) ([]ovsdb.Operation, error) {
		complete = false
		for _, key := range networks {
			if owned, _ := r.switchesOf(key); len(owned) == 0 {
				return nil, nil
			}
		}
		complete = true
		return mark(r.global()), nil
	})
	if err != nil {
		return false, fmt.Errorf("mark northbound database complete: %w", err)
	}
	return complete, nil
}

// mark raises nb_cfg from zero. northd makes the only row of NB_Global, and may
// not have come to it yet; the schema does not let two of us make one.
func mark(global *nb.NBGlobal) []ovsdb.Operation {
	marked := ovsdb.Row{"nb_cfg": 1}
	switch {
	case global == nil:
		return []ovsdb.Operation{{Op: ovsdb.OperationInsert, Table: nb.NBGlobalTable, Row: marked}}
	case global.NbCfg == 0:
		unmarked := append(row(global.UUID), ovsdb.NewCondition("nb_cfg", ovsdb.ConditionEqual, 0))
		return []ovsdb.Operation{{Op: ovsdb.OperationUpdate, Table: nb.NBGlobalTable, Where: unmarked, Row: marked}}
	default:
		return nil
	}
}
