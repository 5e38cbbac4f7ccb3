// Package image writes container images as docker-archive files, from a layer that is a tar file. It needs no Docker and
// no registry; `ctr images import` and `kind load image-archive` read what it writes.
package image

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// path is where programs of an image are looked up, in Debian's order.
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Write makes the image ref, for example localhost/l2sm:dev, from one layer and stores it in file. The file appears whole
// or not at all.
func Write(file, ref, layer string, entrypoint []string) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("parse image name %q: %w", ref, err)
	}
	img, err := build(layer, entrypoint)
	if err != nil {
		return fmt.Errorf("build image %q: %w", ref, err)
	}
	unfinished := file + ".unfinished"
	if err := tarball.WriteToFile(unfinished, tag, img); err != nil {
		return fmt.Errorf("write image %q: %w", ref, err)
	}
	return os.Rename(unfinished, file)
}

func build(layer string, entrypoint []string) (v1.Image, error) {
	l, err := newLayer(layer)
	if err != nil {
		return nil, err
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, // containerd refuses an image that does not say
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Env: []string{path}, Entrypoint: entrypoint},
	})
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return mutate.AppendLayers(base, l)
}

// Files writes a tar file that holds the given files, by their path in the image, all of them executable and root's.
func Files(out string, files map[string]string) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, target := range slices.Sorted(maps.Keys(files)) { // the same files make the same image
		source := files[target]
		if err := addFile(w, target, source); err != nil {
			return fmt.Errorf("pack %q: %w", source, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack %q: %w", out, err)
	}
	return f.Close()
}

func addFile(w *tar.Writer, target, source string) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	rel, err := filepath.Rel("/", target)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: rel, Size: info.Size(), Mode: 0o755}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// layer is a tar file as it is. Compressing it would only cost time: it goes from a disk to the same disk.
type layer struct {
	file   string
	digest v1.Hash
	size   int64
}

func newLayer(file string) (v1.Layer, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	digest, size, err := v1.SHA256(f)
	if err != nil {
		return nil, fmt.Errorf("hash layer %q: %w", file, err)
	}
	return partial.CompressedToLayer(&layer{file: file, digest: digest, size: size})
}

func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) Size() (int64, error)                { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return os.Open(l.file) }
