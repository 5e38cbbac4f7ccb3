package lab

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"l2sm.io/l2sm/e2e/lab/node"
	"l2sm.io/l2sm/e2e/lab/patience"
)

// DefaultRuntime is the container runtime where none is chosen: the one that Debian's users have.
const DefaultRuntime = "containerd"

// containerRuntime is what a kubelet runs containers with.
type containerRuntime struct {
	module *module // that it is built from; nil for what the machine has installed
	socket string  // on the node, of its CRI
	config string  // its file, in config/ and on the node
	argv   []string
	ask    []string // a call that succeeds as soon as it takes commands
	load   []string // reads an image file from standard input and makes it known to the kubelet
	forget []string // with the names of images: takes them away; nil where no program of the runtime does
	// Programs of the machine that it needs, with the Debian packages that bring them.
	needs map[string]string
}

// runtimes are the container runtimes that a cluster may have, by their names for people.
var runtimes = map[string]containerRuntime{
	DefaultRuntime: containerd(nil, "containerd.toml"),
	"containerd-2": containerd(&containerdModule, "containerd-2.toml"),
	"crio": {
		module: &crioModule,
		socket: "/run/crio/crio.sock", config: "crio.toml", argv: []string{"crio", "--config-dir", "", "--config"},
		ask:   []string{"crio", "status", "--socket", "/run/crio/crio.sock", "info"},
		load:  []string{"load", "/var/lib/containers/storage", "/run/containers/storage"},
		needs: map[string]string{"conmon": "conmon", "gcc": "gcc"},
	},
}

func containerd(from *module, config string) containerRuntime {
	ctr := func(args ...string) []string { return append([]string{"ctr", "--namespace", "k8s.io"}, args...) }
	return containerRuntime{
		module: from,
		socket: "/run/containerd/containerd.sock", config: config, argv: []string{"containerd", "--config"},
		ask: ctr("version"), load: ctr("images", "import", "-"), forget: ctr("images", "rm", "--sync"),
	}
}

// Runtimes are the names of the container runtimes that a cluster may have.
func Runtimes() []string { return slices.Sorted(maps.Keys(runtimes)) }

func runtimeOf(name string) (containerRuntime, error) {
	r, ok := runtimes[name]
	if !ok {
		return r, fmt.Errorf("container runtime %q: there are %s", name, strings.Join(Runtimes(), ", "))
	}
	return r, nil
}

// program is the path of one of the runtime's programs: those of a module are in its folder.
func (r containerRuntime) program(dir, name string) string {
	if r.module == nil {
		return name
	}
	return filepath.Join(dir, name)
}

// service is what PID 1 of a node starts.
func (r containerRuntime) service(dir, config string) node.Runtime {
	s := node.Runtime{Name: r.argv[0], Socket: r.socket, Argv: append(r.call(dir, r.argv), config)}
	if r.module != nil {
		s.Path = dir // the runtime's own helpers, such as containerd's shim, before those of the machine
	}
	return s
}

func (l *Lab) runtime() (containerRuntime, error) { return runtimeOf(l.state.Runtime) }

// call is a call of one of the runtime's programs.
func (r containerRuntime) call(dir string, argv []string) []string {
	return append([]string{r.program(dir, argv[0])}, argv[1:]...)
}

// waitForRuntime waits until the container runtime of a node that was started takes commands.
func (l *Lab) waitForRuntime(ctx context.Context, n nodePlan) error {
	r, err := l.runtime()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience.Of(time.Minute))
	defer cancel()
	for {
		_, err := l.Node(ctx, n.Name, r.call(l.state.RuntimePrograms, r.ask)...)
		if err == nil {
			return nil
		}
		if _, alive := l.running(n.Namespace, nodeProcess(n)); !alive {
			return fmt.Errorf("node %q ended, see %s", n.Name, l.path("log", nodeProcess(n)+".log"))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the container runtime on node %q, see %s: %w", n.Name, l.path("log", n.Name+"-"+r.argv[0]+".log"), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
