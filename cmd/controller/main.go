// Command l2sm-controller is l2sm's control plane: it makes attachments of what
// pods ask for and keeps OVN's northbound database in line with the API. See
// docs/l2sm-controller.md.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker.
var version = "dev"

func main() {
	if err := newRoot().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "l2sm-controller:", err)
		os.Exit(1)
	}
}
