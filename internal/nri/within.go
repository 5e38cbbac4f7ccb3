package nri

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// patience is the runtime's where it names none (pkg/api/timeouts.go,
// DefaultPluginRequestTimeout).
const patience = 2 * time.Second

// errLate says that the work was not done in time. It is broken off then.
var errLate = errors.New("not done in the time that the container runtime gives")

// within runs f with three quarters of the time that the runtime gives, and
// returns then at the latest, as when the connection is lost: f's context has ended,
// and it takes back what it did in its own time.
func within(ctx context.Context, f func(context.Context) error) error {
	deadline, given := ctx.Deadline()
	if !given {
		deadline = time.Now().Add(patience)
	}
	work, cancel := context.WithTimeoutCause(ctx, time.Until(deadline)*3/4, errLate)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- safely(work, f)
	}()
	select {
	case err := <-done:
		return err
	case <-work.Done():
		select {
		case err := <-done: // both at once
			return err
		default:
			return context.Cause(work)
		}
	}
}

// safely makes an error of a panic: one pod may not take the others' agent away.
func safely(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return f(ctx)
}
