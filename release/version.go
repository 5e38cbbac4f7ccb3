package main

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/lab/image"
)

// version is what is handed out together.
type version struct {
	registry      string
	name          string
	revision      string
	created       time.Time
	architectures []string
	suite         string
	manifests     map[string]string // folders of manifests, by the file that is made of each
	images        lab.Images
}

// reference is the name of an image of this version.
func (v *version) reference(name string) string {
	return fmt.Sprintf("%s/l2sm-%s:%s", v.registry, name, v.name)
}

// image makes an image of one architecture as a registry has it: compressed, with labels.
func (v *version) image(ctx context.Context, name, arch string) (v1.Image, error) {
	images := v.images
	images.Arch = arch
	file, err := images.Build(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("build image %s for %s: %w", name, arch, err)
	}
	local, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return nil, fmt.Errorf("read image %q: %w", file, err)
	}
	config, err := local.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read image %q: %w", file, err)
	}
	layers, err := local.Layers()
	if err != nil {
		return nil, fmt.Errorf("read image %q: %w", file, err)
	}
	for i, l := range layers {
		if layers[i], err = image.Compressed(l); err != nil {
			return nil, fmt.Errorf("compress image %q: %w", file, err)
		}
	}
	return image.New(image.Config{
		Arch: arch, User: config.Config.User, Entrypoint: config.Config.Entrypoint, Created: v.created, Labels: v.labels(name),
	}, layers...)
}

// labels are OCI's annotations, by which people and programs find what an image is from.
func (v *version) labels(name string) map[string]string {
	labels := map[string]string{
		"title":    "l2sm-" + name,
		"version":  v.name,
		"created":  v.created.Format(time.RFC3339),
		"vendor":   "l2sm",
		"url":      "https://l2sm.io/l2sm",
		"licenses": licences[name],
	}
	if v.revision != "" {
		labels["revision"] = v.revision
	}
	named := map[string]string{}
	for key, value := range labels {
		named["org.opencontainers.image."+key] = value
	}
	return named
}

// licences are SPDX expressions. Debian's packages have many licences, each in its copyright file.
var licences = map[string]string{
	"controller": "Apache-2.0", "agent": "Apache-2.0", "edge": "Apache-2.0", "ovn": "Apache-2.0 AND LicenseRef-Debian", "toolbox": "LicenseRef-Debian",
}

// index is an image for all architectures: whoever pulls it gets its own.
func (v *version) index(ctx context.Context, name string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range v.architectures {
		img, err := v.image(ctx, name, arch)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index, nil
}
