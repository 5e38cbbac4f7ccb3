package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"l2sm.io/l2sm/e2e/lab/image"
)

const pauseImage = "localhost/l2sm-pause:dev"

// baseImages are in every node: what pods, DNS and the examples need.
var baseImages = []string{"pause", "coredns", "toolbox"}

// ProductImages are those that users' clusters take from a registry.
var ProductImages = []string{"controller", "agent", "edge", "ovn", "toolbox"}

// AllImages are the names of the images that Build knows.
var AllImages = append([]string{"pause", "coredns"}, ProductImages...)

// chosenImages are those that only some clusters have; Build knows them too.
var chosenImages = []string{"ovnkube"}

// recipe says how an image is made and from what.
type recipe struct {
	repository string // its name without a registry: l2sm-agent
	key        string // changes with all that goes into it; empty: never taken from the cache
	checkout   string // whose programs are in it, where the key does not tell: two checkouts share the cache
	config     image.Config
	layer      func(ctx context.Context, out string) error
}

// nobody is who a program is that needs no rights: the number that distroless images use.
const nobody = "65532:65532"

func (i Images) recipe(name string) (recipe, error) {
	switch name {
	case "pause":
		return i.pause(), nil
	case "coredns":
		return i.coredns()
	case "toolbox":
		return i.debian("toolbox", toolboxSuite, image.Config{})
	case "ovn":
		return i.debian("ovn", i.Suite, image.Config{User: nobody})
	case "ovnkube":
		return i.ovnkube()
	case "controller":
		return i.product("l2sm-controller", image.Config{User: nobody, Entrypoint: []string{"/usr/bin/l2sm-controller"}}, "l2sm-controller"), nil
	case "agent":
		return i.product("l2sm-agent", image.Config{Entrypoint: []string{"/usr/bin/l2sm-agent"}}, "l2sm-agent", "l2sm"), nil
	case "edge":
		return i.product("l2sm-edge", image.Config{Entrypoint: []string{"/usr/bin/l2sm-edge"}}, "l2sm-edge"), nil
	}
	return recipe{}, fmt.Errorf("no image %q: there are %s", name, strings.Join(append(slices.Clone(AllImages), chosenImages...), ", "))
}

func (i Images) pause() recipe {
	return recipe{
		repository: "l2sm-pause", key: "1", config: image.Config{Entrypoint: []string{"/pause"}},
		layer: func(ctx context.Context, out string) error {
			program := out + ".program"
			defer os.Remove(program)
			cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "./e2e/lab/cmd/pause")
			cmd.Dir = i.Repository
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if output, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("build pause: %w\n%s", err, output)
			}
			return image.Files{Programs: map[string]string{"/pause": program}}.Write(out)
		},
	}
}

func (i Images) coredns() (recipe, error) {
	b, err := corednsModule.locate(i.Cache, i.Repository)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		repository: "coredns", key: strings.TrimPrefix(filepath.Base(b.dir), "coredns-"),
		config: image.Config{Entrypoint: []string{"/coredns"}},
		layer: func(ctx context.Context, out string) error {
			if err := b.ensure(ctx, i.progress()); err != nil {
				return err
			}
			return image.Files{Programs: map[string]string{"/coredns": filepath.Join(b.dir, "coredns")}}.Write(out)
		},
	}, nil
}

const toolboxSuite = "bookworm"

// unpacking changes when package image makes something else of the same packages.
const unpacking = "6"

// debian is an image of Debian with the packages that manifests/images/NAME/packages lists, without those in
// manifests/images/NAME/without.
func (i Images) debian(name, suite string, config image.Config) (recipe, error) {
	packages, without, err := i.packages(name)
	if err != nil {
		return recipe{}, err
	}
	d := image.Debian{Suite: suite, Arch: i.arch(), Packages: packages, Without: without}
	return recipe{repository: "l2sm-" + name, key: debianKey(d), config: config, layer: d.Write}, nil
}

func (i Images) packages(name string) (with, without []string, err error) {
	lists := filepath.Join(i.Repository, "manifests", "images", name)
	if with, err = image.ReadPackages(filepath.Join(lists, "packages")); err != nil {
		return nil, nil, err
	}
	without, err = image.ReadPackages(filepath.Join(lists, "without"))
	return with, without, err
}

// debianKey changes with the packages of an image.
func debianKey(d image.Debian) string {
	sum := sha256.Sum256([]byte(unpacking + "\n" + strings.Join(d.Packages, "\n") + "\n\n" + strings.Join(d.Without, "\n")))
	return fmt.Sprintf("%s-%x", d.Suite, sum[:4])
}

// product is an image of l2sm's own programs. It is re-created each time.
func (i Images) product(repository string, config image.Config, programs ...string) recipe {
	files := image.Files{Programs: map[string]string{}, Time: i.Time}
	var sources []string
	for _, p := range programs {
		source := filepath.Join(i.programs(), p)
		files.Programs["/usr/bin/"+p] = source
		sources = append(sources, source)
	}
	return recipe{
		repository: repository, checkout: i.Repository, config: config,
		layer: func(_ context.Context, out string) error {
			var err error
			if files.Texts, err = i.licences(sources); err != nil {
				return err
			}
			return files.Write(out)
		},
	}
}

func (i Images) licences(programs []string) (map[string][]byte, error) {
	own, err := os.ReadFile(filepath.Join(i.Repository, "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("read licence: %w", err)
	}
	texts, err := image.Licences(programs...)
	if err != nil {
		return nil, err
	}
	texts["/usr/share/doc/l2sm/LICENSE"] = own
	return texts, nil
}

// programs is where make build, and make programs for another architecture, put l2sm's programs.
func (i Images) programs() string {
	if i.arch() == runtime.GOARCH {
		return filepath.Join(i.Repository, "bin")
	}
	return filepath.Join(i.Repository, "bin", "linux-"+i.arch())
}
