// Package lab is a real Kubernetes cluster on one machine, without Docker, a registry or kernel modules: etcd and the
// control plane in one network namespace, and every node in namespaces of its own with its own containerd, kubelet and
// kube-proxy. The program bin/lab brings it up and down; tests use it through Open.
//
// What a cluster consists of is read from the system each time (its network namespaces, the processes inside them, its
// control groups), so that a crash of anything leaves nothing that Down does not find.
package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"l2sm.io/l2sm/e2e/lab/netns"
	"l2sm.io/l2sm/e2e/lab/node"
)

// DefaultName is the name of the cluster where none is given.
const DefaultName = "l2sm"

// Lab is one cluster.
type Lab struct {
	plan  plan
	state state
	dir   string // the cluster's folder
}

// state is what a cluster's folder remembers between two calls of the program.
type state struct {
	Nodes      int
	Program    string // this program, as it was when the cluster came up
	Kubernetes string // folder of the programs of Kubernetes
	Version    string // of Kubernetes
	CNI        string // folder of the CNI plugins
	Runtime    string // name of the container runtime
	// Folder of the container runtime's programs; empty for those of the machine.
	RuntimePrograms string
	NoMultus        bool   // its main network is alone
	MainCNI         string // name of the main network's plugin
	MainCNIPrograms string // folder of those that it brings itself; empty without
	// Links to a network between clusters; none without.
	WAN      []wanLink `json:",omitempty"`
	Complete bool      // came up to the end
}

// ErrNotUp says that there is no cluster of that name.
var ErrNotUp = errors.New("bring it up with `lab up`")

// Open finds a cluster that was brought up before; ErrNotUp where there is none.
func Open(cache Cache, name string) (*Lab, error) {
	dir := cache.lab(name)
	data, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no lab %q: %w", name, ErrNotUp)
	}
	if err != nil {
		return nil, fmt.Errorf("read state of lab %q: %w", name, err)
	}
	l := &Lab{dir: dir}
	if err := json.Unmarshal(data, &l.state); err != nil {
		return nil, fmt.Errorf("decode state of lab %q: %w", name, err)
	}
	l.plan, err = newPlan(name, l.state.Nodes)
	return l, err
}

func (l *Lab) save() error {
	data, err := json.MarshalIndent(l.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state of lab: %w", err)
	}
	return os.WriteFile(l.path("lab.json"), data, 0o644)
}

func (l *Lab) path(elem ...string) string { return filepath.Join(append([]string{l.dir}, elem...)...) }

func (l *Lab) folder(n nodePlan) node.Folder { return node.Folder(l.path("nodes", n.Name)) }

// Kubeconfig is the path of an administrator's kubeconfig. It works on the machine itself, in no namespace.
func (l *Lab) Kubeconfig() string { return l.path("kubeconfig") }

// Nodes lists the names of the cluster's nodes.
func (l *Lab) Nodes() []string {
	var names []string
	for _, n := range l.plan.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// RESTConfig is an administrator's configuration for client-go. Its connections start inside the control plane's
// network namespace.
func (l *Lab) RESTConfig() (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", l.path("pki", "admin.kubeconfig"))
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return netns.Dial(ctx, l.plan.namespace(controlPlane), network, address)
	}
	return c, nil
}

// KubectlCommand is a call of kubectl as administrator.
func (l *Lab) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.state.Kubernetes, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig())
	return cmd
}

// Kubectl calls kubectl as administrator and returns what it printed.
func (l *Lab) Kubectl(ctx context.Context, args ...string) (string, error) {
	return output(l.KubectlCommand(ctx, args...))
}

// NbctlCommand is a call of ovn-nbctl in the pod of OVN's central databases.
func (l *Lab) NbctlCommand(ctx context.Context, args ...string) *exec.Cmd {
	in := []string{"exec", "--namespace=l2sm-system", "deployment/ovn-central", "--container=nb", "--", "ovn-nbctl"}
	return l.KubectlCommand(ctx, append(in, args...)...)
}

// Nbctl calls ovn-nbctl in the pod of OVN's central databases and returns what it printed.
func (l *Lab) Nbctl(ctx context.Context, args ...string) (string, error) {
	return output(l.NbctlCommand(ctx, args...))
}

// NodeCommand is a call of a program in all of a node's namespaces. The node shares the machine's root file system.
func (l *Lab) NodeCommand(ctx context.Context, name string, argv ...string) (*exec.Cmd, error) {
	n, err := l.plan.node(name)
	if err != nil {
		return nil, err
	}
	pid, ok := l.running(n.Namespace, nodeProcess(n))
	if !ok {
		return nil, fmt.Errorf("node %q is not running", name)
	}
	into := []string{"--target", fmt.Sprint(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	return exec.CommandContext(ctx, "nsenter", append(into, argv...)...), nil
}

// Node calls a program in all of a node's namespaces and returns what it printed.
func (l *Lab) Node(ctx context.Context, name string, argv ...string) (string, error) {
	cmd, err := l.NodeCommand(ctx, name, argv...)
	if err != nil {
		return "", err
	}
	return output(cmd)
}

// output runs the command and returns its standard output; its error carries what went to standard error.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w: %s", cmd, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
