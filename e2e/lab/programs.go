package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// module is a Go module of build/ whose programs the cluster runs. It is built once for each of its versions.
type module struct {
	name     string   // folder below e2e/lab/build
	title    string   // for people
	from     string   // the dependency whose version is the version of the programs
	modfile  string   // in that folder; empty for go.mod
	packages []string // what to build, `tool` for the tools of go.mod
	tags     string   // build tags
	links    []string // names by which the one binary is called
	duration string   // of a first build, for the user's patience
	// Linker flags that tell the programs their version, which a build from modules does not know; may be nil.
	stamp func(version string) string
	// Puts what is not Go beside the programs; may be nil.
	beside func(ctx context.Context, b build, out string) error
}

var (
	kubernetesModule = module{
		name: "kubernetes", title: "Kubernetes", from: "k8s.io/kubernetes", packages: []string{"."}, duration: "4 minutes",
		stamp: stampKubernetes,
		links: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"},
	}
	cniModule = module{
		name: "cni", title: "Multus and CNI plugins", from: "gopkg.in/k8snetworkplumbingwg/multus-cni.v4", packages: []string{"tool"}, duration: "1 minute",
	}
	containerdModule = module{
		name: "containerd", title: "containerd 2", from: "github.com/containerd/containerd/v2", packages: []string{"tool"}, duration: "1 minute",
		stamp: func(version string) string {
			return "-X github.com/containerd/containerd/v2/version.Version=" + version
		},
	}
	crioModule = module{
		name: "crio", title: "CRI-O", from: "github.com/cri-o/cri-o", packages: []string{"tool", "./load", "./oci"}, duration: "2 minutes",
		// Without cgo, as all else: signatures are checked by Go's OpenPGP, and btrfs is left out.
		tags:   "containers_image_openpgp exclude_graphdriver_btrfs",
		beside: buildPinns,
	}
	ovnKubernetesModule = module{
		name: "ovn-kubernetes", title: "OVN-Kubernetes", from: "github.com/ovn-org/ovn-kubernetes/go-controller",
		packages: []string{"tool", "./checksums"}, duration: "4 minutes",
		stamp: func(version string) string {
			return "-X github.com/ovn-org/ovn-kubernetes/go-controller/pkg/config.Commit=" + version[strings.LastIndex(version, "-")+1:]
		},
	}
	corednsModule = module{
		name: "coredns", title: "CoreDNS", from: "github.com/coredns/coredns", packages: []string{"."}, duration: "1 minute",
	}
)

// build is the programs of a module: where they are, and whether they are there already.
type build struct {
	module
	source  string
	version string
	dir     string
	compile func(ctx context.Context, p progress, out string) error // puts the programs into the folder out
}

// locate finds where a module's programs belong in the cache: by version for people, by the hash of what goes into the
// build for us.
func (m module) locate(cache Cache, repository string) (build, error) {
	b := build{module: m, source: filepath.Join(repository, "e2e", "lab", "build", m.name)}
	if b.modfile == "" {
		b.modfile = "go.mod"
	}
	data, err := os.ReadFile(filepath.Join(b.source, b.modfile))
	if err != nil {
		return b, fmt.Errorf("read module of %s: %w", m.name, err)
	}
	file, err := modfile.ParseLax(b.modfile, data, nil)
	if err != nil {
		return b, fmt.Errorf("parse module of %s: %w", m.name, err)
	}
	for _, r := range file.Require {
		if r.Mod.Path == m.from {
			b.version = r.Mod.Version
		}
	}
	hash := sha256.New()
	hash.Write(data)
	if err := addSources(hash, b.source); err != nil {
		return b, fmt.Errorf("read sources of %s: %w", m.name, err)
	}
	b.dir = filepath.Join(cache.programs(), fmt.Sprintf("%s-%s-%x", m.name, b.version, hash.Sum(nil)[:4]))
	b.compile = b.goBuild
	return b, nil
}

// addSources adds the Go files of a folder, in the order of their names. A module of tools has none.
func addSources(to io.Writer, dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = to.Write(data)
		return err
	})
}

func (b build) done() bool {
	_, err := os.Stat(b.dir)
	return err == nil
}

// ensure compiles the programs unless they are there.
func (b build) ensure(ctx context.Context, p progress) error {
	if b.done() {
		return nil
	}
	unlock, err := lockCache(ctx, b.dir, func() {
		p.say("waiting for another program that builds %s %s", b.title, b.version)
	})
	if err != nil {
		return err
	}
	defer unlock()
	if b.done() {
		return nil
	}
	p.say("building %s %s, this once: about %s on two cores", b.title, b.version, b.duration)
	return p.step("built "+b.title, func() error { return b.run(ctx, p) })
}

// run compiles into a folder beside the final one, which appears with all its programs or not at all.
func (b build) run(ctx context.Context, p progress) error {
	unfinished := b.dir + ".unfinished"
	if err := errors.Join(os.RemoveAll(unfinished), os.MkdirAll(unfinished, 0o755)); err != nil {
		return fmt.Errorf("make folder for %s: %w", b.name, err)
	}
	if err := b.compile(ctx, p, unfinished); err != nil {
		return err
	}
	for _, link := range b.links {
		if err := os.Symlink(b.name, filepath.Join(unfinished, link)); err != nil {
			return fmt.Errorf("name program %s: %w", link, err)
		}
	}
	if err := os.Rename(unfinished, b.dir); err != nil {
		return fmt.Errorf("keep programs of %s: %w", b.name, err)
	}
	return nil
}

// Repository finds the checkout of l2sm that the working directory is in: the lab is built from its sources, and its
// manifests are what the lab applies.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && modfile.ModulePath(data) == "l2sm.io/l2sm" {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not in a checkout of l2sm: run this inside its repository")
		}
	}
}
