// Command l2sm-controller is l2sm's control plane: it makes attachments of what
// pods ask for and keeps OVN's northbound database in line with the API. See
// docs/l2sm-controller.md.
package main

import (
	"errors"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker.
var version = "dev"

func main() {
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
