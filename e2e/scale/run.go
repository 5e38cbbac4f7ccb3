package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/scale/stack"
)

// parts are what --parts may name, each with a stack of its own.
var parts = map[string]func(*scene, context.Context) error{"many": (*scene).many, "one": (*scene).one}

func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	r := &report{sizes: o.sizes}
	if len(o.sizes) == 0 {
		return errors.New("--sizes is empty: give at least one size, such as --sizes=100")
	}
	for _, size := range o.sizes {
		if size < 1 || size > 60000 {
			return fmt.Errorf("--sizes=%d is not between 1 and 60000, which is how many subnets there are", size)
		}
	}
	for _, part := range o.parts {
		if parts[part] == nil {
			return fmt.Errorf("--parts=%s: there are many and one", part)
		}
	}
	for _, size := range o.sizes {
		for _, part := range o.parts {
			if err := o.scene(ctx, size, part, r, progress); err != nil {
				return err
			}
		}
	}
	if err := header(ctx, out, o); err != nil {
		return err
	}
	if err := r.print(out); err != nil {
		return err
	}
	if failures := r.failures(); len(failures) > 0 {
		return errors.New(strings.Join(failures, "\n"))
	}
	return nil
}

// scene measures one part at one size. What fails there is told in the report, and the next one goes on; an interrupt
// ends the run.
func (o *options) scene(ctx context.Context, size int, part string, r *report, progress io.Writer) error {
	s, err := o.open(ctx, size, r, progress)
	if err != nil {
		return err
	}
	failure := parts[part](s, ctx)
	if err := s.close(failure); err != nil {
		return err
	}
	if failure != nil && ctx.Err() == nil {
		r.line("parts", part, "", nil).notes[size] = failure.Error()
		return nil
	}
	return failure
}

// many is N networks with one attachment each.
func (s *scene) many(ctx context.Context) error {
	floor, err := s.floor(ctx)
	if err != nil {
		return err
	}
	if _, _, err := s.startController(ctx); err != nil {
		return err
	}
	if err := s.networksAtOnce(ctx, s.size, smallSubnet, floor.networks); err != nil {
		return err
	}
	if err := s.podsAtOnce(ctx, "attachments, all at once, one a network", s.size, s.size, floor.attachments); err != nil {
		return err
	}
	if err := s.memory("when all was made"); err != nil {
		return err
	}
	if err := s.attachMore(ctx, "one more attach, with N networks of one port", s.size); err != nil {
		return err
	}
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := s.memory("after it was idle"); err != nil {
		return err
	}
	if err := s.restart(ctx, "restart with N networks and attachments"); err != nil {
		return err
	}
	if err := s.wipe(ctx); err != nil {
		return err
	}
	if err := s.manyNamespaces(ctx); err != nil {
		return err
	}
	return s.remove(ctx, s.size)
}

// one is one network with N attachments.
func (s *scene) one(ctx context.Context) error {
	if _, _, err := s.startController(ctx); err != nil {
		return err
	}
	if err := s.create(ctx, newNetwork(space, networkName(0), "10.0.0.0/8")); err != nil {
		return err
	}
	if err := s.podsAtOnce(ctx, "attachments, all at once, on one network", s.size, 1, 0); err != nil {
		return err
	}
	return s.attachMore(ctx, "one more attach, on one network of N ports", 1)
}

// header tells what was measured, on what.
func header(ctx context.Context, out io.Writer, o *options) error {
	version, err := stack.OVNRoot(o.ovnRoot).Version()
	if err != nil {
		return err
	}
	repository, err := lab.Repository()
	if err != nil {
		return err
	}
	commit, err := commitOf(ctx, repository)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "l2sm %s, OVN %s, %d processors, %d API writes at a time\n", commit, version, runtime.NumCPU(), o.writers)
	return nil
}
