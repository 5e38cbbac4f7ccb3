package lab

import (
	"context"
	"slices"
)

// programs are what a cluster runs beside its images.
type programs struct {
	kubernetes, cni build
	runtime         *build // nil where the machine's own is used
	main            *build // of the main network; nil where cni holds it
	coredns         build  // goes into an image
}

func locatePrograms(o Options, runtime containerRuntime, main mainCNI) (programs, error) {
	var found programs
	kubernetes, err := kubernetesOf(o.Repository, o.Kubernetes)
	if err != nil {
		return found, err
	}
	if found.kubernetes, err = kubernetes.locate(o.Cache, o.Repository); err != nil {
		return found, err
	}
	if found.cni, err = cniModule.locate(o.Cache, o.Repository); err != nil {
		return found, err
	}
	if found.runtime, err = locateChosen(o, runtime.module); err != nil {
		return found, err
	}
	if found.main, err = locateChosen(o, main.module); err != nil {
		return found, err
	}
	found.coredns, err = corednsModule.locate(o.Cache, o.Repository)
	return found, err
}

// locateChosen finds the programs of a choice; nil where it brings none of its own.
func locateChosen(o Options, m *module) (*build, error) {
	if m == nil {
		return nil, nil
	}
	b, err := m.locate(o.Cache, o.Repository)
	return &b, err
}

// ensure makes the programs, after all that they are made from has come.
func (m programs) ensure(ctx context.Context, p progress) error {
	builds := []build{m.kubernetes, m.cni}
	for _, chosen := range []*build{m.runtime, m.main} {
		if chosen != nil {
			builds = append(builds, *chosen)
		}
	}
	if err := download(ctx, p, append(builds, m.coredns)); err != nil {
		return err
	}
	for _, b := range builds {
		if err := b.ensure(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// Programs builds etcd and the programs of Kubernetes, if they are not in the cache, and returns their folder. It is
// what tests against an API server alone need.
func Programs(ctx context.Context, o Options) (string, error) {
	p := newProgress(o.Log)
	m, err := kubernetesOf(o.Repository, o.Kubernetes)
	if err != nil {
		return "", err
	}
	b, err := m.locate(o.Cache, o.Repository)
	if err != nil {
		return "", err
	}
	if err := download(ctx, p, []build{b}); err != nil {
		return "", err
	}
	return b.dir, b.ensure(ctx, p)
}

func ensureImages(ctx context.Context, p progress, o Options, main mainCNI) ([]string, error) {
	images := Images{Cache: o.Cache, Repository: o.Repository, Log: o.Log}
	var files []string
	names := baseImages
	if main.image != "" {
		names = append(slices.Clone(names), main.image)
	}
	for _, name := range names {
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
