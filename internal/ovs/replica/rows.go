package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// List reads a table from the copy.
func List[T any](ctx context.Context, r *Replica) ([]*T, error) {
	s := r.session.Load()
	if s == nil {
		return nil, ErrNotConnected
	}
	var rows []*T
	if err := s.db.List(ctx, &rows); err != nil {
		return nil, fmt.Errorf("read Open vSwitch's database: %w", err)
	}
	// A cache that a lost connection emptied is not a database without rows.
	if r.session.Load() != s {
		return nil, ErrNotConnected
	}
	return rows, nil
}

// Get fills in the row that has the index of the one given, such as its name, and says
// whether there is one.
func Get(ctx context.Context, r *Replica, row model.Model) (bool, error) {
	s := r.session.Load()
	if s == nil {
		return false, ErrNotConnected
	}
	err := s.db.Get(ctx, row)
	if r.session.Load() != s {
		return false, ErrNotConnected
	}
	if errors.Is(err, client.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read Open vSwitch's database: %w", err)
	}
	return true, nil
}

// Transact writes to the database in one transaction, and returns when it is committed.
func (r *Replica) Transact(ctx context.Context, describe func(client.Client) ([]ovsdb.Operation, error)) ([]ovsdb.OperationResult, error) {
	// libovsdb would send it for a caller who is gone, too.
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s := r.session.Load()
	if s == nil {
		return nil, ErrNotConnected
	}
	ops, err := describe(s.db)
	if err != nil {
		return nil, fmt.Errorf("describe transaction: %w", err)
	}
	if len(ops) == 0 {
		return nil, nil
	}
	results, err := s.db.Transact(ctx, ops...)
	if err != nil {
		return nil, fmt.Errorf("transact: %w", err)
	}
	if failed, err := ovsdb.CheckOperationResults(results, ops); err != nil {
		return nil, fmt.Errorf("transact: %w %v", err, failed)
	}
	return results, nil
}
