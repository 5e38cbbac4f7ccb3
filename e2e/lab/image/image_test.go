package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestWriteArchive(t *testing.T) {
	dir := t.TempDir()
	layer, file := filepath.Join(dir, "layer.tar"), filepath.Join(dir, "image.tar")
	files := Files{
		Programs: map[string]string{"/usr/bin/b": program(t, "two"), "/usr/bin/a": program(t, "one")},
		Texts:    map[string][]byte{"/usr/share/doc/try/copyright": []byte("free")},
	}
	if err := files.Write(layer); err != nil {
		t.Fatal(err)
	}
	l, err := Plain(layer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(Config{Arch: "arm64", User: "1:1", Entrypoint: []string{"/usr/bin/a"}}, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteArchive(file, "localhost/try:dev", made); err != nil {
		t.Fatal(err)
	}

	tag, err := name.NewTag("localhost/try:dev")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatalf("read image by its name: %v", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "arm64" {
		t.Errorf("platform %q/%q: containerd takes no image of an unknown one", config.OS, config.Architecture)
	}
	if diff := cmp.Diff([]string{"/usr/bin/a"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"usr/bin/a: one", "usr/bin/b: two", "usr/share/doc/try/copyright: free"}, contents(t, img)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.unfinished"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func program(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents lists the files of the image's layers, in their order.
func contents(t *testing.T, img v1.Image) []string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		archive := tar.NewReader(r)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, header.Name+": "+string(content))
		}
	}
	return files
}
