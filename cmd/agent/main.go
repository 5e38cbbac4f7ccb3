// Command l2sm-agent is the node's side of l2sm; see its --help.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker.
var version = "dev"

// gcPercent is how much the heap may grow before garbage is collected, in percent
// of what is in use: less than Go's 100, since there is an agent on every node and
// its heap, of some 5 MiB, is collected in a millisecond.
const gcPercent = 25

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "l2sm-agent:", err)
		os.Exit(1)
	}
}
