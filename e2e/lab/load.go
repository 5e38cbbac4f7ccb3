package lab

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
)

// Load imports an image file into every node.
func (l *Lab) Load(ctx context.Context, file string) error {
	var group errgroup.Group
	for _, n := range l.plan.Nodes {
		group.Go(func() error { return l.loadInto(ctx, n, file) })
	}
	return group.Wait()
}

func (l *Lab) loadInto(ctx context.Context, n nodePlan, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := l.runtime()
	if err != nil {
		return err
	}
	cmd, err := l.NodeCommand(ctx, n.Name, r.call(l.state.RuntimePrograms, r.load)...)
	if err != nil {
		return err
	}
	cmd.Stdin = in
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load image %q into node %q: %w", file, n.Name, errors.Join(err, errors.New(string(output))))
	}
	return nil
}

// Forget takes images off every node, as if they had never been loaded.
func (l *Lab) Forget(ctx context.Context, refs ...string) error {
	r, err := l.runtime()
	if err != nil {
		return err
	}
	if r.forget == nil {
		return fmt.Errorf("the container runtime %s has no call that removes images", l.state.Runtime)
	}
	remove := append(r.call(l.state.RuntimePrograms, r.forget), refs...)
	var group errgroup.Group
	for _, n := range l.plan.Nodes {
		group.Go(func() error {
			if _, err := l.Node(ctx, n.Name, remove...); err != nil {
				return fmt.Errorf("remove images from node %q: %w", n.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
