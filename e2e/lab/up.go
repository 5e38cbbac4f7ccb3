package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"l2sm.io/l2sm/e2e/lab/netns"
)

// Options of Up.
type Options struct {
	Cache      Cache
	Repository string // checkout of l2sm
	Name       string
	Nodes      int
	Runtime    string    // one of Runtimes; empty for the default
	NoMultus   bool      // the main network's plugin alone
	Log        io.Writer // takes a line per step
}

// Up brings a cluster up, building first what is not in the cache. Of a cluster that is up it starts again what has
// ended; one that never came up completely is removed first. Up must be called by the program bin/lab, which is also what
// runs inside the nodes.
func Up(ctx context.Context, o Options) (*Lab, error) {
	p := newProgress(o.Log)
	plan, err := newPlan(o.Name, o.Nodes)
	if err != nil {
		return nil, err
	}
	if o.Runtime == "" {
		o.Runtime = DefaultRuntime
	}
	runtime, err := runtimeOf(o.Runtime)
	if err != nil {
		return nil, err
	}
	if err := prepareMachine(p); err != nil {
		return nil, err
	}
	unlock, err := lock(o.Name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, err := Open(o.Cache, o.Name)
	if err != nil && !errors.Is(err, ErrNotUp) {
		return nil, err
	}
	if err == nil && l.repairable() {
		return l, l.repair(ctx, p, o)
	}
	if err := p.step("made room", func() error { return remove(o.Cache, o.Name) }); err != nil {
		return nil, err
	}
	l, err = create(ctx, p, o, plan, runtime)
	if err != nil {
		return nil, err
	}
	l.state.NoMultus = o.NoMultus
	images, err := ensureImages(ctx, p, o)
	if err != nil {
		return nil, err
	}
	if err := l.boot(ctx, p, o, images); err != nil {
		return nil, fmt.Errorf("%w\n(logs are in %s; `lab down` removes what is up)", err, l.path("log"))
	}
	return l, nil
}

// create makes the cluster's folder, and the programs that it runs.
func create(ctx context.Context, p progress, o Options, plan plan, runtime containerRuntime) (*Lab, error) {
	kubernetes, err := ensureProgram(ctx, p, kubernetesModule, o)
	if err != nil {
		return nil, err
	}
	cni, err := ensureProgram(ctx, p, cniModule, o)
	if err != nil {
		return nil, err
	}
	l := &Lab{plan: plan, dir: o.Cache.lab(o.Name)}
	l.state = state{Nodes: o.Nodes, Program: l.path("lab"), Kubernetes: kubernetes, CNI: cni, Runtime: o.Runtime}
	if runtime.module != nil {
		if l.state.RuntimePrograms, err = ensureProgram(ctx, p, *runtime.module, o); err != nil {
			return nil, err
		}
	}
	return l, l.makeFolder()
}

// Programs builds etcd and the programs of Kubernetes, if they are not in the cache, and returns their folder. It is
// what tests against an API server alone need.
func Programs(ctx context.Context, o Options) (string, error) {
	return ensureProgram(ctx, newProgress(o.Log), kubernetesModule, o)
}

func (l *Lab) makeFolder() error {
	for _, dir := range []string{"log", "pids", "pki", "etcd"} {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return fmt.Errorf("make folder of lab %q: %w", l.plan.Name, err)
		}
	}
	// The nodes run a copy: the program may be built again while the cluster is up.
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	if err := copyFile(self, l.state.Program); err != nil {
		return fmt.Errorf("keep own program: %w", err)
	}
	return l.save()
}

func ensureProgram(ctx context.Context, p progress, m module, o Options) (string, error) {
	b, err := m.locate(o.Cache, o.Repository)
	if err != nil {
		return "", err
	}
	return b.dir, b.ensure(ctx, p)
}

func ensureImages(ctx context.Context, p progress, o Options) ([]string, error) {
	images := Images{Cache: o.Cache, Repository: o.Repository, Log: o.Log}
	var files []string
	for _, name := range baseImages {
		file, err := ensureImage(ctx, p, images, name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func ensureImage(ctx context.Context, p progress, images Images, name string) (string, error) {
	cached, err := images.Cached(name)
	if err != nil {
		return "", err
	}
	if cached {
		return images.Build(ctx, name)
	}
	p.say("building the image %s, this once: about a minute", name)
	var file string
	err = p.step("built image "+name, func() error {
		var err error
		file, err = images.Build(ctx, name)
		return err
	})
	return file, err
}

// boot starts the nodes beside the control plane: while the API server starts, they take in their images.
func (l *Lab) boot(ctx context.Context, p progress, o Options, images []string) error {
	if err := p.step("network and credentials", l.prepare); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return p.step("nodes started, images loaded", func() error { return l.startNodes(groupCtx, images) })
	})
	group.Go(func() error {
		if err := l.bootControlPlane(groupCtx, p); err != nil {
			return err
		}
		return l.settle(groupCtx, p, o.Repository)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if err := p.step("DNS ready", func() error { return l.waitForDNS(ctx) }); err != nil {
		return err
	}
	l.state.Complete = true
	return l.save()
}

// prepare makes all that the processes find when they start.
func (l *Lab) prepare() error {
	if err := l.writeCredentials(); err != nil {
		return err
	}
	for _, n := range l.plan.Nodes {
		if err := l.prepareNode(n); err != nil {
			return err
		}
	}
	return buildNetwork(l.plan)
}

func (l *Lab) startNodes(ctx context.Context, images []string) error {
	for _, n := range l.plan.Nodes {
		if err := l.startNode(n); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range l.plan.Nodes {
		group.Go(func() error {
			if err := l.waitForRuntime(ctx, n); err != nil {
				return err
			}
			for _, file := range images {
				if err := l.loadInto(ctx, n, file); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (l *Lab) bootControlPlane(ctx context.Context, p progress) error {
	if err := p.step("API server ready", func() error { return l.startAPI(ctx) }); err != nil {
		return err
	}
	return p.step("controllers started", l.startControllers)
}

// settle applies what the cluster needs beside Kubernetes and waits for the nodes.
func (l *Lab) settle(ctx context.Context, p progress, repository string) error {
	if err := p.step("add-ons applied", func() error { return l.applyAddons(ctx, repository) }); err != nil {
		return err
	}
	return p.step("nodes ready", func() error { return l.waitForNodes(ctx) })
}

// repairable is false for a cluster that never came up completely, and after a reboot of the machine.
func (l *Lab) repairable() bool {
	return l.state.Complete && netns.Exists(l.plan.namespace(fabric)) && netns.Exists(l.plan.namespace(controlPlane))
}

// repair starts what has ended. What the cluster holds is still in etcd and on the nodes' disks.
func (l *Lab) repair(ctx context.Context, p progress, o Options) error {
	if l.state.Nodes != o.Nodes {
		return fmt.Errorf("lab %q is up with %d nodes: take it down to change that", o.Name, l.state.Nodes)
	}
	if l.state.Runtime != o.Runtime {
		return fmt.Errorf("lab %q is up with the container runtime %s: take it down to change that", o.Name, l.state.Runtime)
	}
	if l.state.NoMultus != o.NoMultus {
		return fmt.Errorf("lab %q is up with another choice of Multus: take it down to change that", o.Name)
	}
	p.say("lab %q is there, with %d nodes", o.Name, o.Nodes)
	if err := l.bootControlPlane(ctx, p); err != nil {
		return err
	}
	for _, n := range l.plan.Nodes {
		if _, alive := l.running(n.Namespace, nodeProcess(n)); alive {
			continue
		}
		err := p.step("node "+n.Name+" started again", func() error {
			return errors.Join(l.StopNode(n.Name), l.StartNode(ctx, n.Name))
		})
		if err != nil {
			return err
		}
	}
	if err := l.settle(ctx, p, o.Repository); err != nil {
		return err
	}
	return p.step("DNS ready", func() error { return l.waitForDNS(ctx) })
}
