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
	Kubernetes string    // one of KubernetesVersions; empty for the default
	MainCNI    string    // one of MainCNIs; empty for the default
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
	if o.MainCNI == "" {
		o.MainCNI = DefaultMainCNI
	}
	main, err := mainCNIOf(o)
	if err != nil {
		return nil, err
	}
	if err := prepareMachine(p, runtime); err != nil {
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
	made, err := locatePrograms(o, runtime, main)
	if err != nil {
		return nil, err
	}
	if err := made.ensure(ctx, p); err != nil {
		return nil, err
	}
	images, err := ensureImages(ctx, p, o, main)
	if err != nil {
		return nil, err
	}
	l, err = create(o, plan, made)
	if err != nil {
		return nil, err
	}
	if err := l.boot(ctx, p, o, images); err != nil {
		return nil, fmt.Errorf("%w\n(logs are in %s; `lab down` removes what is up)", err, l.path("log"))
	}
	return l, nil
}

// create makes the cluster's folder.
func create(o Options, plan plan, made programs) (*Lab, error) {
	l := &Lab{plan: plan, dir: o.Cache.lab(o.Name)}
	l.state = state{
		Nodes: o.Nodes, Program: l.path("lab"), Kubernetes: made.kubernetes.dir, Version: made.kubernetes.version, CNI: made.cni.dir, Runtime: o.Runtime, MainCNI: o.MainCNI, NoMultus: o.NoMultus,
	}
	if made.runtime != nil {
		l.state.RuntimePrograms = made.runtime.dir
	}
	if made.main != nil {
		l.state.MainCNIPrograms = made.main.dir
	}
	return l, l.makeFolder()
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
	if err := p.step("nodes ready", func() error { return l.waitForNodes(ctx) }); err != nil {
		return err
	}
	if len(l.mainCNI().workloads) == 0 {
		return nil
	}
	return p.step(l.state.MainCNI+" ready", func() error { return l.waitForMainCNI(ctx) })
}

// repairable is false for a cluster that never came up completely, and after a reboot of the machine.
func (l *Lab) repairable() bool {
	return l.state.Complete && netns.Exists(l.plan.namespace(fabric)) && netns.Exists(l.plan.namespace(controlPlane))
}

// sameKubernetes fails where a running cluster is asked to have another version. Its programs may be older than those of
// this checkout: it keeps what it was made with.
func (l *Lab) sameKubernetes(o Options) error {
	if o.Kubernetes == "" || o.Kubernetes == minor(l.state.Version) {
		return nil
	}
	return fmt.Errorf("lab %q is up with Kubernetes %s: take it down to change that", o.Name, l.state.Version)
}

// repair starts what has ended. What the cluster holds is still in etcd and on the nodes' disks.
func (l *Lab) repair(ctx context.Context, p progress, o Options) error {
	if l.state.Nodes != o.Nodes {
		return fmt.Errorf("lab %q is up with %d nodes: take it down to change that", o.Name, l.state.Nodes)
	}
	if err := l.sameKubernetes(o); err != nil {
		return err
	}
	if l.state.Runtime != o.Runtime {
		return fmt.Errorf("lab %q is up with the container runtime %s: take it down to change that", o.Name, l.state.Runtime)
	}
	if l.state.MainCNI != o.MainCNI {
		return fmt.Errorf("lab %q is up with the main CNI plugin %s: take it down to change that", o.Name, l.state.MainCNI)
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
