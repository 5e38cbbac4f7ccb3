package ovs

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// Note writes what of noted is not on the port yet, if it is still there in the
// same sandbox.
func (c *Client) Note(ctx context.Context, p Port, noted Noted) error {
	if p.Noted == noted {
		return nil
	}
	if err := c.note(ctx, p, noted); err != nil {
		return fmt.Errorf("note on port %q: %w", p.Name, err)
	}
	return nil
}

func (c *Client) note(ctx context.Context, p Port, noted Noted) error {
	rows, err := replica.List[vs.Interface](ctx, c.db)
	if err != nil {
		return err
	}
	write := notedIDs(noted)
	maps.DeleteFunc(write, func(key, value string) bool { return notedIDs(p.Noted)[key] == value })
	old := slices.Collect(maps.Keys(write))
	for _, row := range rows {
		if is, _ := portOf(row); is.Name != p.Name || is.Attachment != p.Attachment || is.Sandbox != p.Sandbox {
			continue
		}
		// An insertion leaves keys alone that are there (RFC 7047 section 5.1).
		_, err := c.db.Transact(ctx, func(db client.Client) ([]ovsdb.Operation, error) {
			return db.Where(row).Mutate(row,
				model.Mutation{Field: &row.ExternalIDs, Mutator: ovsdb.MutateOperationDelete, Value: old},
				model.Mutation{Field: &row.ExternalIDs, Mutator: ovsdb.MutateOperationInsert, Value: write})
		})
		return err
	}
	return nil
}
