package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"
)

func TestImageRecipes(t *testing.T) {
	newImages := func(t *testing.T, packages, without string) Images {
		t.Helper()
		repository := newRepository(t, map[string]string{"manifests/images/ovn/packages": packages, "manifests/images/ovn/without": without})
		return Images{Cache: Cache(t.TempDir()), Repository: repository, Suite: "trixie"}
	}
	file := func(t *testing.T, i Images) string {
		t.Helper()
		r, err := i.recipe("ovn")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(i.path("ovn", r), string(i.Cache))
	}
	trixie := newImages(t, "openvswitch-switch\nprocps\n", "perl\n")
	bookworm := trixie
	bookworm.Suite = "bookworm"

	if same := newImages(t, "# what it takes\nprocps\nopenvswitch-switch\n", "perl\n"); file(t, same) != file(t, trixie) {
		t.Errorf("%s and %s hold the same packages", file(t, same), file(t, trixie))
	}
	if other := newImages(t, "openvswitch-switch\n", "perl\n"); file(t, other) == file(t, trixie) {
		t.Error("a change of the package list makes no new image")
	}
	if other := newImages(t, "openvswitch-switch\nprocps\n", ""); file(t, other) == file(t, trixie) {
		t.Error("a change of what is left out makes no new image")
	}
	other := trixie
	if other.Arch = "riscv64"; file(t, other) == file(t, trixie) {
		t.Error("another architecture makes no new image")
	}
	if file(t, bookworm) == file(t, trixie) {
		t.Error("another release of Debian makes no new image")
	}
	if _, err := trixie.Build(context.Background(), "nope"); err == nil {
		t.Error("an unknown image is built")
	}
}

// The image of ovnkube is another with each version of it, and with each change of what stands beside it.
func TestOVNKubeRecipe(t *testing.T) {
	file := func(version, packages string) string {
		i := Images{Cache: Cache(t.TempDir()), Repository: newRepository(t, map[string]string{
			"e2e/lab/build/ovn-kubernetes/go.mod": "module x\nrequire github.com/ovn-org/ovn-kubernetes/go-controller " + version + " // indirect\n",
			"manifests/images/ovn/packages":       packages, "manifests/images/ovn/without": "",
		})}
		r, err := i.recipe("ovnkube")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(i.path("ovnkube", r), string(i.Cache))
	}
	is := file("v1.1.0", "ovn-host\n")
	if !strings.Contains(is, "v1.1.0") {
		t.Errorf("the file %s does not say which version it holds", is)
	}
	if other := file("v1.2.0", "ovn-host\n"); other == is {
		t.Error("another version makes no new image")
	}
	if other := file("v1.1.0", "ovn-host\nprocps\n"); other == is {
		t.Error("another package beside it makes no new image")
	}
}

// newProduct is a checkout with built programs: Go programs, as licences are of what is linked into them.
func newProduct(t *testing.T) string {
	t.Helper()
	repository := newRepository(t, map[string]string{"LICENSE": "free", "bin/.keep": ""})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"l2sm", "l2sm-agent", "l2sm-controller", "l2sm-edge"} {
		if err := os.Symlink(self, filepath.Join(repository, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return repository
}

func TestProductImage(t *testing.T) {
	images := Images{Cache: Cache(t.TempDir()), Repository: newProduct(t)}
	file, err := images.Build(t.Context(), "agent")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tarball.ImageFromPath(file, nil); err != nil {
		t.Errorf("read image: %v", err)
	}
	for _, other := range []string{"controller", "edge"} {
		if _, err := images.Build(t.Context(), other); err != nil {
			t.Errorf("image %s: %v", other, err)
		}
	}
	if cached, err := images.Cached("agent"); err != nil || cached {
		t.Error("programs that were built since would not get into the image")
	}
	if err := os.Remove(images.Repository + "/bin/l2sm-agent"); err != nil {
		t.Fatal(err)
	}
	if _, err := images.Build(t.Context(), "agent"); err == nil || !strings.Contains(err.Error(), "l2sm-agent") {
		t.Errorf("a program that is missing is not named: %v", err)
	}
}

// Two checkouts share the cache: what one builds must not get into the other's cluster.
func TestProductImageOfTwoCheckouts(t *testing.T) {
	cache := Cache(t.TempDir())
	build := func() string {
		images := Images{Cache: cache, Repository: newProduct(t)}
		file, err := images.Build(t.Context(), "agent")
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if first, second := build(), build(); first == second {
		t.Errorf("both images are in %q", first)
	}
}

// A published file has the cache's content under a second name: replacing it must not write through that name.
func TestPublishReplaces(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"first", "second"} {
		if err := os.WriteFile(dir+"/"+name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var group errgroup.Group
	for range 500 {
		for _, name := range []string{"first", "second"} {
			group.Go(func() error { return Publish(dir+"/"+name, dir+"/out/image") })
		}
	}
	if err := group.Wait(); err != nil {
		t.Errorf("publish twice at once: %v", err)
	}
	for _, name := range []string{"first", "second"} {
		if got, err := os.ReadFile(dir + "/" + name); err != nil || string(got) != name {
			t.Errorf("the cache's file %q holds %q, %v", name, got, err)
		}
	}
}
