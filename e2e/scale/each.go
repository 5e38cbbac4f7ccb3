package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// each runs do for 0..n-1, so many at a time, and returns how long all took. The first error ends it.
func each(ctx context.Context, workers, n int, do func(ctx context.Context, i int) error) (time.Duration, error) {
	began := time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(workers, n) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	err := group.Wait()
	return time.Since(began), err
}
