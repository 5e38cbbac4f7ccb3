// Command lab runs a real Kubernetes cluster on this machine, for demonstration, development and tests of l2sm.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	os.Exit(exitCode(err))
}

// exitCode says what went wrong, unless another program has said it already.
func exitCode(err error) int {
	var child childError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &child):
		return child.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}
