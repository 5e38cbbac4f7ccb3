package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Template is what a DaemonSet's pods are made of.
type Template struct {
	Spec corev1.PodSpec
	// Image is the folder of the image's files; "/" for this machine's own.
	Image string
	// Settings are the ConfigMaps that containers take their environment from, by name.
	Settings map[string]map[string]string
	// Folders take the place of volumes that are neither of the host nor empty, by the volume's name.
	Folders map[string]string
	// Env is the environment of every container beyond, and instead of, its own.
	Env map[string]string
}

// Pod runs on a node.
type Pod struct {
	node     *Node
	template Template
	name     string
	dir      string
	root     string // of the containers' files
	holder   *holder
	stopping context.CancelFunc

	mu         sync.Mutex
	containers []*container
}

// Start starts a pod, and returns when its init containers have ended and its sidecars have started.
func (n *Node) Start(ctx context.Context, name string, t Template) (*Pod, error) {
	dir, err := os.MkdirTemp(n.dir, name+"-")
	if err != nil {
		return nil, err
	}
	p := &Pod{node: n, template: t, name: name, dir: dir, root: filepath.Join(dir, "root")}
	if t.Image == "/" {
		p.root = "/"
	}
	if p.holder, err = hold(ctx, n, p.mounts()); err != nil {
		return nil, fmt.Errorf("make the files of pod %s on %s: %w", name, n.Name, err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stopping = stop
	if err := p.run(ctx, running); err != nil {
		return nil, errors.Join(err, p.Stop(ctx))
	}
	return p, nil
}

func (p *Pod) run(ctx, running context.Context) error {
	for _, c := range p.template.Spec.InitContainers {
		if c.RestartPolicy == nil {
			if out, err := p.command(ctx, c, c.Command...).CombinedOutput(); err != nil {
				return fmt.Errorf("container %s: %w: %s", c.Name, err, out)
			}
			continue
		}
		p.keep(running, c, true)
		if err := p.awaitProbe(ctx, c); err != nil {
			return err
		}
	}
	for _, c := range p.template.Spec.Containers {
		p.keep(running, c, false)
	}
	return nil
}

// AwaitStarted returns when every container's startup probe succeeds.
func (p *Pod) AwaitStarted(ctx context.Context) error {
	for _, c := range p.template.Spec.Containers {
		if err := p.awaitProbe(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// probeEvery is less than the kubelet's second: starting a pod is what tests measure.
const probeEvery = 200 * time.Millisecond

func (p *Pod) awaitProbe(ctx context.Context, c corev1.Container) error {
	if c.StartupProbe == nil || c.StartupProbe.Exec == nil {
		return nil
	}
	for {
		out, err := p.command(ctx, c, c.StartupProbe.Exec.Command...).CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("container %s of %s does not start: %w: %s\n%s", c.Name, p.node.Name, err, out, p.Log(c.Name))
		case <-time.After(probeEvery):
		}
	}
}

// Stop ends a pod as the kubelet does: what its containers want to run before, TERM, the grace period, KILL. Sidecars end
// after the others.
func (p *Pod) Stop(ctx context.Context) error {
	p.stopping()
	for _, sidecars := range []bool{false, true} {
		var group sync.WaitGroup
		for _, c := range p.all() {
			if c.sidecar == sidecars {
				group.Go(func() { c.stop(ctx, p.grace()) })
			}
		}
		group.Wait()
	}
	return p.holder.end()
}

func (p *Pod) grace() time.Duration {
	if s := p.template.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 30 * time.Second
}

// Kill ends a pod's processes without a warning, as a power failure does.
func (p *Pod) Kill() error {
	p.stopping()
	for _, c := range p.all() {
		c.signal(syscall.SIGKILL)
		<-c.done
	}
	return p.holder.end()
}

// Enter is a command that runs where the pod does, with all rights: as what the node's host runs beside it.
func (p *Pod) Enter(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(p.holder.pid), "--mount", "--net"}, args...)...)
}

// Exec runs a command in a container and returns what it prints.
func (p *Pod) Exec(ctx context.Context, container string, args ...string) (string, error) {
	for _, c := range append(p.template.Spec.InitContainers, p.template.Spec.Containers...) {
		if c.Name != container {
			continue
		}
		out, err := p.command(ctx, c, args...).CombinedOutput()
		if err != nil {
			return string(out), fmt.Errorf("%s on %s: %w: %s", strings.Join(args, " "), p.node.Name, err, out)
		}
		return string(out), nil
	}
	return "", fmt.Errorf("pod %s has no container %q", p.name, container)
}

func (p *Pod) all() []*container {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.containers
}
