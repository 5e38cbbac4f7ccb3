//go:build e2e

package clusters

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every single command and every wait.
const patience = 90 * time.Second

// place is a namespace in one of the two clusters.
type place struct {
	*testing.T
	lab       string // the local cluster
	side      string // east or west: what the other one calls it
	other     string
	nth       int    // east is the first
	edge      string // the node that is one
	namespace string
}

// labs are the local clusters, by side.
var labs = map[string]string{"east": envOr("EAST", "east"), "west": envOr("WEST", "west")}

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
	return filepath.Dir(filepath.Dir(dir))
}

// newScenario connects the clusters' edges, and makes a namespace of the test's own in
// each. Scenarios share the edges, and run one after the other.
func newScenario(t *testing.T) (east, west place) {
	t.Helper()
	namespace := "clusters-" + strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	east = place{T: t, lab: labs["east"], side: "east", other: "west", nth: 1, namespace: namespace}
	west = place{T: t, lab: labs["west"], side: "west", other: "east", nth: 2, namespace: namespace}
	for _, p := range []*place{&east, &west} {
		nodes := strings.Fields(p.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))
		p.edge = nodes[len(nodes)-1]
	}
	t.Cleanup(func() {
		var ends sync.WaitGroup
		for _, p := range []place{east, west} {
			p.tell()
			ends.Go(p.end)
		}
		ends.Wait()
	})
	for _, p := range []place{east, west} {
		p.kubectl("label", "--overwrite", "node", p.edge, "l2sm.io/edge=")
		p.kubectl("apply", "-f", filepath.Join("examples", "two-clusters", p.side, "edge.yaml"))
		p.kubectl("create", "namespace", namespace)
	}
	for _, p := range []place{east, west} {
		p.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "l2edge/default", "l2peer/"+p.other)
	}
	return east, west
}

// tell logs what stands there if the test failed.
func (p place) tell() {
	if !p.Failed() {
		return
	}
	for _, args := range [][]string{
		{"get", "pods,l2net,l2att,l2remote", "-o", "wide"}, {"get", "l2edge,l2peer", "-o", "yaml"}, {"get", "events", "--sort-by=.lastTimestamp"},
		{"-n", "l2sm-system", "logs", "-l", "app.kubernetes.io/name=l2sm-edge", "--tail=60", "--prefix"},
	} {
		out, _ := p.try(args...)
		p.Logf("%s: %s:\n%s", p.side, strings.Join(args, " "), out)
	}
}

// end removes the namespace.
func (p place) end() {
	if out, err := p.try("delete", "namespace", p.namespace, "--timeout=80s"); err != nil {
		p.Errorf("delete namespace of %s: %v\n%s", p.side, err, out)
		return
	}
	if left := p.flowsLeft(); left != "" {
		p.Errorf("flows are left in br-edge of the %s:\n%s", p.side, left)
	}
}

// flowsLeft are those of networks, once there is none any more; scenarios run one after
// the other.
func (p place) flowsLeft() string {
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		out, err := run("", "bin/lab", "--name", p.lab, "node", p.edge, "ovs-ofctl", "dump-flows", "br-edge")
		if err == nil && !strings.Contains(out, "tun_id") {
			return ""
		}
		if time.Since(began) > patience {
			return out
		}
	}
}

// try runs kubectl in the namespace.
func (p place) try(args ...string) (string, error) {
	return run("", append([]string{"bin/lab", "--name", p.lab, "kubectl", "-n", p.namespace}, args...)...)
}

func (p place) kubectl(args ...string) string {
	p.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.Fatalf("%s: kubectl %s: %v\n%s", p.side, strings.Join(args, " "), err, out)
	}
	return out
}

func (p place) apply(objects ...string) {
	p.Helper()
	out, err := run(strings.Join(objects, "\n---\n"), "bin/lab", "--name", p.lab, "kubectl", "-n", p.namespace, "apply", "-f", "-")
	if err != nil {
		p.Fatalf("%s: apply: %v\n%s", p.side, err, out)
	}
}

// node runs a command on a node of the cluster.
func (p place) node(name string, command ...string) string {
	p.Helper()
	out, err := run("", append([]string{"bin/lab", "--name", p.lab, "node", name}, command...)...)
	if err != nil {
		p.Fatalf("%s: node %s: %s: %v\n%s", p.side, name, strings.Join(command, " "), err, out)
	}
	return out
}

// exec runs a shell's command in a pod.
func (p place) exec(pod, command string) string {
	p.Helper()
	return p.kubectl("exec", pod, "--", "sh", "-c", command)
}

func (p place) ready(pods ...string) {
	p.Helper()
	for _, pod := range pods {
		p.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "pod/"+pod)
	}
}

// says waits until kubectl prints what is wanted.
func (p place) says(want string, args ...string) {
	p.Helper()
	p.eventually(func() error {
		out, err := p.try(args...)
		if err != nil {
			return fmt.Errorf("%s: kubectl %s: %w: %s", p.side, strings.Join(args, " "), err, out)
		}
		if !strings.Contains(out, want) {
			return fmt.Errorf("%s: kubectl %s prints %s, want %q", p.side, strings.Join(args, " "), strings.TrimSpace(out), want)
		}
		return nil
	})
}

// eventually repeats a look until it finds nothing wrong.
func (p place) eventually(look func() error) {
	p.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.Fatalf("not after %s: %v", patience, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// stretched waits until the network goes on in the other cluster.
func (p place) stretched() {
	p.Helper()
	p.kubectl("wait", "--for=condition=Stretched", "--timeout=80s", "l2net/net")
}

// errStill is for what has not come yet.
func errStill(what string) error { return fmt.Errorf("still %s", strings.TrimSpace(what)) }

// condition is that of an object, as "True:Reason:message".
func condition(kind string) string {
	return fmt.Sprintf(`jsonpath={range .status.conditions[?(@.type==%q)]}{.status}:{.reason}:{.message}{end}`, kind)
}

// run runs a program from the checkout's root.
func run(stdin string, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = repository()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %s: %w", patience, ctx.Err())
	}
	return string(out), err
}
