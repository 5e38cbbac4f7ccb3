//go:build e2e || conformance

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience bounds every single command and every wait.
const patience = 90 * time.Second

func envOr(key, fallback string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return fallback
}

// repository is the checkout's root, where every command runs.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Dir(dir)
}

// kubectl runs kubectl on the tests' cluster and returns what it printed, its warnings
// only where it failed: one of another version than the cluster has some of its own.
func kubectl(args ...string) (string, error) { return kubectlInput("", args...) }

// kubectlInput has it read YAML, which some objects of the tests are and the others may be
// taken for: an older kubectl tells by the first one which of YAML and JSON all are.
func kubectlInput(yaml string, args ...string) (string, error) {
	if yaml != "" {
		yaml = "---\n" + yaml
	}
	stdout, stderr, err := run(yaml, append(kubectlCommand(), args...)...)
	if err != nil {
		return stdout + stderr, err
	}
	return stdout, nil
}

// createNamespace makes a namespace that takes every pod, whatever the cluster's
// default of Pod Security is: some scenarios add capabilities.
func createNamespace(name string) (string, error) {
	return kubectlInput("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+", labels: {pod-security.kubernetes.io/enforce: privileged}}", "create", "-f", "-")
}

// run runs a program from the checkout's root.
func run(stdin string, command ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = repository()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %s: %w", patience, ctx.Err())
	}
	return out.String(), problems.String(), err
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

// lastNode is the third node, or where there are two the second.
func lastNode(t *testing.T) string {
	t.Helper()
	return nodes(t)[len(nodes(t))-1]
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func differs(want, got string) error {
	if want != got {
		return fmt.Errorf("want %s, got %s", want, got)
	}
	return nil
}

// audit runs the audit in the controller's pod, and again for a time while
// anything is wrong. It returns what it printed and its exit code.
func audit(t *testing.T, wait string) (string, int) {
	t.Helper()
	out, err := kubectl("-n", "l2sm-system", "exec", "deploy/l2sm-controller", "--", "l2sm-controller", "audit", "--wait="+wait)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("audit: %v\n%s", err, out)
	}
	if exit != nil {
		return out, exit.ExitCode()
	}
	return out, 0
}
