// Command l2sm-controller is l2sm's control plane: it makes attachments of what
// pods ask for and keeps OVN's northbound database in line with the API. See
// docs/l2sm-controller.md.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker.
var version = "dev"

// gcPercent is how much the heap may grow before garbage is collected, in percent
// of what is in use, until the controllers know how much that is.
const gcPercent = 25

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	err := newRoot().ExecuteContext(ctrl.SetupSignalHandler())
	if err == nil {
		return
	}
	failure := &exitError{code: 1, reason: err}
	errors.As(err, &failure)
	if failure.reason != nil {
		fmt.Fprintln(os.Stderr, "l2sm-controller:", failure.reason)
	}
	os.Exit(failure.code)
}
