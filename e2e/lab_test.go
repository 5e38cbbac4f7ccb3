//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// labName is the local cluster that the scenarios run on.
var labName = envOr("L2SM_LAB", "l2sm-test")

func TestMain(m *testing.M) {
	if out, err := kubectl("-n", "l2sm-system", "wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s"); err != nil {
		fmt.Fprintf(os.Stderr, "the scenarios need the local cluster %q with l2sm installed (make test-e2e brings it up): %v\n%s\n", labName, err, out)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// kubectlCommand is kubectl on the tests' cluster.
func kubectlCommand() []string { return []string{"bin/lab", "--name", labName, "kubectl"} }

// lab runs bin/lab on the tests' cluster and returns what it printed.
func lab(args ...string) (string, error) { return labInput("", args...) }

func labInput(stdin string, args ...string) (string, error) {
	stdout, stderr, err := run(stdin, append([]string{"bin/lab", "--name", labName}, args...)...)
	return stdout + stderr, err
}

// node runs a command in a node's namespaces.
func node(t *testing.T, name string, command ...string) string {
	t.Helper()
	out, err := lab(append([]string{"node", name}, command...)...)
	if err != nil {
		t.Fatalf("on node %s: %s: %v\n%s", name, strings.Join(command, " "), err, out)
	}
	return out
}

// nodes are the names of the cluster's nodes, those that are machines.
func nodes(t *testing.T) []string {
	t.Helper()
	out, err := kubectl("get", "nodes", "--field-selector", "metadata.name!="+paper, "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		t.Fatalf("get nodes: %v\n%s", err, out)
	}
	return strings.Fields(out)
}
