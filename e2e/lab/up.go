package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sync/errgroup"
)

// Options of Up.
type Options struct {
	Cache      Cache
	Repository string // checkout of l2sm
	Name       string
	Nodes      int
	Log        io.Writer // takes a line per step
}

// Up brings a cluster up, building first what is not in the cache. A cluster that runs is left as it is; of one that is
// half dead the rest is removed first. It must be called by the program bin/lab, which is also what runs inside the nodes.
func Up(ctx context.Context, o Options) (*Lab, error) {
	p := newProgress(o.Log)
	if err := checkMachine(); err != nil {
		return nil, err
	}
	running, err := reuse(p, o)
	if err != nil || running != nil {
		return running, err
	}
	l, err := create(ctx, p, o)
	if err != nil {
		return nil, err
	}
	if err := l.boot(ctx, p, o); err != nil {
		return nil, fmt.Errorf("%w\n(logs are in %s; `lab down` removes what is up)", err, l.path("log"))
	}
	return l, nil
}

// reuse returns the cluster if it runs, and removes it if only parts of it do.
func reuse(p progress, o Options) (*Lab, error) {
	l, err := Open(o.Cache, o.Name)
	if err == nil && l.healthy() {
		if l.state.Nodes != o.Nodes {
			return nil, fmt.Errorf("lab %q is up with %d nodes: take it down to change that", o.Name, l.state.Nodes)
		}
		p.say("lab %q is up already, with %d nodes", o.Name, o.Nodes)
		return l, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, p.step("make room", func() error { return Down(o.Cache, o.Name) })
}

// create makes the cluster's folder, with all programs in the cache.
func create(ctx context.Context, p progress, o Options) (*Lab, error) {
	plan, err := newPlan(o.Name, o.Nodes)
	if err != nil {
		return nil, err
	}
	kubernetes, err := ensureProgram(ctx, p, kubernetesModule, o)
	if err != nil {
		return nil, err
	}
	cni, err := ensureProgram(ctx, p, cniModule, o)
	if err != nil {
		return nil, err
	}
	l := &Lab{plan: plan, cache: o.Cache, dir: o.Cache.lab(o.Name)}
	l.state = state{Nodes: o.Nodes, Program: l.path("lab"), Kubernetes: kubernetes, CNI: cni}
	for _, dir := range []string{"log", "pids", "pki", "etcd"} {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return nil, fmt.Errorf("make folder of lab %q: %w", o.Name, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	if err := copyFile(self, l.state.Program); err != nil {
		return nil, fmt.Errorf("keep own program: %w", err)
	}
	return l, l.save()
}

func ensureProgram(ctx context.Context, p progress, m module, o Options) (string, error) {
	b, err := m.locate(o.Cache, o.Repository)
	if err != nil || b.done() {
		return b.dir, err
	}
	p.say("building %s %s, once: about %s on two cores when nothing is cached", m.name, b.version, m.duration)
	return b.dir, p.step("build "+m.name, func() error { return b.run(ctx) })
}

// boot starts the nodes beside the control plane: while the API server starts, they take in their images.
func (l *Lab) boot(ctx context.Context, p progress, o Options) error {
	images, err := l.ensureImages(ctx, p, o)
	if err != nil {
		return err
	}
	if err := p.step("network and credentials", l.prepare); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return p.step("nodes started, images loaded", func() error { return l.startNodes(groupCtx, images) })
	})
	group.Go(func() error { return l.bootControlPlane(groupCtx, p, o.Repository) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := p.step("DNS ready", func() error { return l.waitForDNS(ctx) }); err != nil {
		return err
	}
	l.state.Complete = true
	return l.save()
}

func (l *Lab) bootControlPlane(ctx context.Context, p progress, repository string) error {
	if err := p.step("API server ready", func() error { return l.startAPI(ctx) }); err != nil {
		return err
	}
	if err := p.step("controllers started", l.startControllers); err != nil {
		return err
	}
	if err := p.step("Multus and DNS applied", func() error { return l.applyAddons(ctx, repository) }); err != nil {
		return err
	}
	return p.step("nodes ready", func() error { return l.waitForNodes(ctx) })
}

func (l *Lab) ensureImages(ctx context.Context, p progress, o Options) ([]string, error) {
	images := Images{Cache: o.Cache, Repository: o.Repository}
	var files []string
	for _, name := range baseImages {
		file, cached, _, err := images.find(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		if cached {
			continue
		}
		err = p.step("build image "+name, func() error {
			_, err := images.Build(ctx, name)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// prepare makes all that processes find when they start.
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
	var group errgroup.Group
	for _, n := range l.plan.Nodes {
		group.Go(func() error {
			if err := l.waitForContainerd(ctx, n); err != nil {
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
