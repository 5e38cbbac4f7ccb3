//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// labName is the local cluster that the scenarios run on.
var labName = envOr("L2SM_LAB", "l2sm-test")

// patience bounds every single command and every wait.
const patience = 90 * time.Second

func envOr(key, fallback string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return fallback
}

func TestMain(m *testing.M) {
	if out, err := lab("kubectl", "-n", "l2sm-system", "wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s"); err != nil {
		fmt.Fprintf(os.Stderr, "the scenarios need the local cluster %q with l2sm installed (make test-e2e brings it up): %v\n%s\n", labName, err, out)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// repository is the checkout's root, where every command runs.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Dir(dir)
}

// lab runs bin/lab on the tests' cluster and returns what it printed.
func lab(args ...string) (string, error) { return labInput("", args...) }

func labInput(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bin/lab", append([]string{"--name", labName}, args...)...)
	cmd.Dir = repository()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %s: %w", patience, ctx.Err())
	}
	return string(out), err
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

// nbctl asks the northbound database.
func nbctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := lab(append([]string{"nbctl"}, args...)...)
	if err != nil {
		t.Fatalf("ovn-nbctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// nodes are the names of the cluster's nodes, those that are machines.
func nodes(t *testing.T) []string {
	t.Helper()
	out, err := lab("kubectl", "get", "nodes", "--field-selector", "metadata.name!="+paper, "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		t.Fatalf("get nodes: %v\n%s", err, out)
	}
	return strings.Fields(out)
}

// eventually repeats a look until it finds nothing wrong. Tests alone wait
// this way; the product is told by watches.
func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s: %v", what, patience, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
