package lab

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestImageRecipes(t *testing.T) {
	newImages := func(t *testing.T, packages string) Images {
		t.Helper()
		repository := newRepository(t, map[string]string{"manifests/images/ovn/packages": packages})
		return Images{Cache: Cache(t.TempDir()), Repository: repository, Suite: "trixie"}
	}
	file := func(t *testing.T, i Images) string {
		t.Helper()
		r, err := i.recipe("ovn")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(i.path("ovn", r.key), string(i.Cache))
	}
	trixie := newImages(t, "openvswitch-switch\nprocps\n")
	bookworm := trixie
	bookworm.Suite = "bookworm"

	if same := newImages(t, "# what it takes\nprocps\nopenvswitch-switch\n"); file(t, same) != file(t, trixie) {
		t.Errorf("%s and %s hold the same packages", file(t, same), file(t, trixie))
	}
	if other := newImages(t, "openvswitch-switch\n"); file(t, other) == file(t, trixie) {
		t.Error("a change of the package list makes no new image")
	}
	if file(t, bookworm) == file(t, trixie) {
		t.Error("another release of Debian makes no new image")
	}
	if _, err := trixie.Build(context.Background(), "nope"); err == nil {
		t.Error("an unknown image is built")
	}
}

func TestProductImage(t *testing.T) {
	images := Images{Cache: Cache(t.TempDir()), Repository: newRepository(t, map[string]string{
		"bin/l2sm": "shim", "bin/l2sm-agent": "agent", "bin/l2sm-controller": "controller",
	})}
	file, err := images.Build(context.Background(), "l2sm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tarball.ImageFromPath(file, nil); err != nil {
		t.Errorf("read image: %v", err)
	}
	if cached, err := images.Cached("l2sm"); err != nil || cached {
		t.Error("programs that were built since would not get into the image")
	}
	if err := os.Remove(images.Repository + "/bin/l2sm-agent"); err != nil {
		t.Fatal(err)
	}
	if _, err := images.Build(context.Background(), "l2sm"); err == nil || !strings.Contains(err.Error(), "l2sm-agent") {
		t.Errorf("a program that is missing is not named: %v", err)
	}
}
