// Package image makes container images from files and from Debian's packages, for this machine's architecture and for
// others: nothing of an image runs while it is made. It needs no Docker, no base image and no emulation. The same content
// makes the same digest.
package image

import (
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// searchPath is where programs of an image are looked up, in Debian's order.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Config is what an image says of itself.
type Config struct {
	Arch       string // as Go names it: containerd refuses an image that does not say
	User       string // empty: root
	Entrypoint []string
	Labels     map[string]string // OCI's annotations, by org.opencontainers.image
	Created    time.Time
}

// New makes an image of layers.
func New(c Config, layers ...v1.Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS: "linux", Architecture: c.Arch, Created: v1.Time{Time: c.Created},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Env: []string{searchPath}, User: c.User, Entrypoint: c.Entrypoint, Labels: c.Labels},
	})
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	img, err := mutate.AppendLayers(base, layers...)
	if err != nil {
		return nil, fmt.Errorf("append layers: %w", err)
	}
	return img, nil
}

// WriteArchive stores the image under its name, for example localhost/l2sm-agent:dev, in a docker-archive file, which
// `ctr images import`, `docker load` and `kind load image-archive` read. The file appears whole or not at all.
func WriteArchive(file, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("parse image name %q: %w", ref, err)
	}
	unfinished := file + ".unfinished"
	if err := tarball.WriteToFile(unfinished, tag, img); err != nil {
		return fmt.Errorf("write image %q: %w", ref, err)
	}
	return os.Rename(unfinished, file)
}
