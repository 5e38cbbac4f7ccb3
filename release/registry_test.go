package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"l2sm.io/l2sm/e2e/lab"
)

// serveRegistry starts a real one, on loopback.
func serveRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(newRegistry())
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// plugins is a folder with the CNI plugin, the smallest program, under the names of all, for two architectures.
var plugins = sync.OnceValues(func() (string, error) {
	repository, err := os.MkdirTemp("", "l2sm-release-*")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(repository, "LICENSE"), []byte("free"), 0o644); err != nil {
		return "", err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		folder := filepath.Join(repository, "bin")
		if arch != runtime.GOARCH {
			folder = filepath.Join(folder, "linux-"+arch)
		}
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(folder, "l2sm"), "l2sm.io/l2sm/cmd/cni")
		cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the CNI plugin for %s: %w\n%s", arch, err, out)
		}
		for _, program := range []string{"l2sm-agent", "l2sm-controller", "l2sm-edge"} {
			if err := os.Symlink("l2sm", filepath.Join(folder, program)); err != nil {
				return "", err
			}
		}
	}
	return repository, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if repository, err := plugins(); err == nil {
		_ = os.RemoveAll(repository)
	}
	os.Exit(code)
}

func newVersion(t *testing.T, registry string) *version {
	t.Helper()
	repository, err := plugins()
	if err != nil {
		t.Fatal(err)
	}
	created := time.Unix(1700000000, 0).UTC()
	return &version{
		registry: registry + "/people", name: "v9.8.7", revision: "abc", created: created,
		architectures: []string{"amd64", "arm64"},
		images:        lab.Images{Cache: lab.Cache(t.TempDir()), Repository: repository, Time: created},
	}
}

func pushed(t *testing.T, v *version, image string) v1.Hash {
	t.Helper()
	index, err := v.index(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := v.push(t.Context(), io.Discard, image, index, false)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestPushAndPull(t *testing.T) {
	v := newVersion(t, serveRegistry(t))
	digest := pushed(t, v, "controller")

	ref, err := name.ParseReference(v.registry + "/l2sm-controller:v9.8.7")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatalf("pull by the version's name: %v", err)
	}
	if got, err := index.Digest(); err != nil || got != digest {
		t.Errorf("pulled %v, %v; pushed %v", got, err, digest)
	}
	if media, err := index.MediaType(); err != nil || media != types.OCIImageIndex {
		t.Errorf("an index of type %v, %v", media, err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
		if err != nil {
			t.Fatalf("pull for %s: %v", arch, err)
		}
		if err := validate.Image(img); err != nil {
			t.Errorf("image for %s: %v", arch, err)
		}
		checkImage(t, img, arch)
	}
}

// elfMachine is where an ELF file says which machine it is for, and what.
var elfMachine = map[string][]byte{"amd64": {62, 0}, "arm64": {183, 0}}

func checkImage(t *testing.T, img v1.Image, arch string) {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != arch {
		t.Errorf("image for %s says it is for %s", arch, config.Architecture)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("image for %s runs as %q", arch, config.Config.User)
	}
	for label, want := range map[string]string{"version": "v9.8.7", "revision": "abc", "licenses": "Apache-2.0", "title": "l2sm-controller"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	files := contents(t, img)
	for _, file := range []string{"usr/share/doc/l2sm/LICENSE", "usr/share/doc/l2sm/go/LICENSE", "usr/share/doc/l2sm/modules/github.com/containernetworking/cni/LICENSE"} {
		if len(files[file]) == 0 {
			t.Errorf("image for %s has no %s", arch, file)
		}
	}
	program := files["usr/bin/l2sm-controller"]
	if len(program) < 20 || !bytes.Equal(program[18:20], elfMachine[arch]) {
		t.Errorf("the program of the image for %s is for another machine", arch)
	}
}

func contents(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	r := mutate.Extract(img)
	defer r.Close()
	files := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

// Who builds the same commit, elsewhere and later, gets the same images.
func TestSameDigestTwice(t *testing.T) {
	registry := serveRegistry(t)
	first := pushed(t, newVersion(t, registry), "agent")
	if second := pushed(t, newVersion(t, registry), "agent"); first != second {
		t.Errorf("built twice: %v and %v", first, second)
	}
}

func TestPushNeedsARegistry(t *testing.T) {
	v := newVersion(t, "127.0.0.1:1")
	index, err := v.index(t.Context(), "agent")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.push(t.Context(), io.Discard, "agent", index, false); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1/people/l2sm-agent:v9.8.7") {
		t.Errorf("a registry that is not there: %v", err)
	}
}

func TestBill(t *testing.T) {
	v := newVersion(t, "registry.test")
	img, err := v.image(t.Context(), "agent", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	b, err := bill(v.reference("agent"), "2026-01-02T03:04:05Z", img)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range *b.Components {
		names = append(names, c.Name)
	}
	for _, want := range []string{"stdlib", "github.com/containernetworking/cni", "l2sm.io/l2sm/cmd/cni"} {
		if !slices.Contains(names, want) {
			t.Errorf("the bill has no %s: %v", want, names)
		}
	}
}

func TestBillOfDebian(t *testing.T) {
	got := debianPackage([]byte("Package: x\nVersion: 1:2+b1\nArchitecture: arm64\n")).PackageURL
	if want := "pkg:deb/debian/x@1%3A2%2Bb1?arch=arm64"; got != want {
		t.Errorf("package %s, want %s", got, want)
	}
}
