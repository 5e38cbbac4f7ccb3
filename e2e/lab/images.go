package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"l2sm.io/l2sm/e2e/lab/image"
)

const pauseImage = "localhost/l2sm-pause:dev"

// baseImages are in every node: what pods, DNS and the examples need.
var baseImages = []string{"pause", "coredns", "toolbox"}

// AllImages are the names of the images that BuildImage knows.
var AllImages = []string{"pause", "coredns", "toolbox", "ovn", "l2sm"}

// Images builds container images.
type Images struct {
	Cache      Cache
	Repository string
	Suite      string    // Debian release of the OVN image
	Log        io.Writer // takes a line where Build waits for another program; nil for none
}

// recipe says how an image is made and from what.
type recipe struct {
	ref        string
	key        string // changes with all that goes into it; empty: never taken from the cache
	checkout   string // whose programs are in it, where the key does not tell: two checkouts share the cache
	entrypoint []string
	layer      func(ctx context.Context, out string) error
}

const toolboxSuite = "bookworm"

// path is the file of an image in the cache.
func (i Images) path(name string, r recipe) string {
	if r.key != "" {
		name += "-" + r.key
	}
	if r.checkout != "" {
		name += fmt.Sprintf("-%x", sha256.Sum256([]byte(r.checkout)))[:9]
	}
	return filepath.Join(i.Cache.images(), name+".tar")
}

// Build makes the image unless it is in the cache and returns its file.
func (i Images) Build(ctx context.Context, name string) (string, error) {
	r, err := i.recipe(name)
	if err != nil {
		return "", err
	}
	return i.make(ctx, name, r)
}

func (i Images) make(ctx context.Context, name string, r recipe) (string, error) {
	file := i.path(name, r)
	if r.cached(file) {
		return file, nil
	}
	p := i.progress()
	unlock, err := lockCache(ctx, file, func() { p.say("waiting for another program that builds the image %s", name) })
	if err != nil {
		return "", err
	}
	defer unlock()
	if r.cached(file) {
		return file, nil
	}
	layer := file + ".layer"
	defer os.Remove(layer)
	if err := r.layer(ctx, layer); err != nil {
		return "", fmt.Errorf("make layer of image %q: %w", name, err)
	}
	return file, image.Write(file, r.ref, layer, r.entrypoint)
}

func (i Images) progress() progress {
	if i.Log == nil {
		return newProgress(io.Discard)
	}
	return newProgress(i.Log)
}

// Cached tells whether Build has nothing to do.
func (i Images) Cached(name string) (bool, error) {
	r, err := i.recipe(name)
	if err != nil {
		return false, err
	}
	return r.cached(i.path(name, r)), nil
}

func (r recipe) cached(file string) bool {
	_, err := os.Stat(file)
	return err == nil && r.key != ""
}

func (i Images) recipe(name string) (recipe, error) {
	switch name {
	case "pause":
		return i.pause(), nil
	case "coredns":
		return i.coredns()
	case "toolbox":
		return i.debian("toolbox", toolboxSuite)
	case "ovn":
		return i.debian("ovn", i.Suite)
	case "l2sm":
		return i.product(), nil
	}
	return recipe{}, fmt.Errorf("no image %q: there are %s", name, strings.Join(AllImages, ", "))
}

func (i Images) pause() recipe {
	return recipe{
		ref: pauseImage, key: "1", entrypoint: []string{"/pause"},
		layer: func(ctx context.Context, out string) error {
			program := out + ".program"
			defer os.Remove(program)
			cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "./e2e/lab/cmd/pause")
			cmd.Dir = i.Repository
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if output, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("build pause: %w\n%s", err, output)
			}
			return image.Files(out, map[string]string{"/pause": program})
		},
	}
}

func (i Images) coredns() (recipe, error) {
	b, err := corednsModule.locate(i.Cache, i.Repository)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		ref: "localhost/coredns:dev", key: strings.TrimPrefix(filepath.Base(b.dir), "coredns-"), entrypoint: []string{"/coredns"},
		layer: func(ctx context.Context, out string) error {
			if err := b.ensure(ctx, i.progress()); err != nil {
				return err
			}
			return image.Files(out, map[string]string{"/coredns": filepath.Join(b.dir, "coredns")})
		},
	}, nil
}

// debian is an image of Debian with the packages that manifests/images/NAME/packages lists.
func (i Images) debian(name, suite string) (recipe, error) {
	packages, err := image.ReadPackages(filepath.Join(i.Repository, "manifests", "images", name, "packages"))
	if err != nil {
		return recipe{}, err
	}
	sum := sha256.Sum256([]byte(strings.Join(packages, "\n")))
	return recipe{
		ref: "localhost/l2sm-" + name + ":dev",
		key: fmt.Sprintf("%s-%x", suite, sum[:4]),
		layer: func(ctx context.Context, out string) error {
			return image.Debian(ctx, out, suite, packages)
		},
	}, nil
}

// product is the image of l2sm's own programs, as they are in bin/. It is re-created each time.
func (i Images) product() recipe {
	files := map[string]string{}
	for _, p := range []string{"l2sm-controller", "l2sm-agent", "l2sm"} {
		files["/usr/bin/"+p] = filepath.Join(i.Repository, "bin", p)
	}
	return recipe{
		ref: "localhost/l2sm:dev", checkout: i.Repository,
		layer: func(_ context.Context, out string) error { return image.Files(out, files) },
	}
}
