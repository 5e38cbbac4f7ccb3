package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/uuid"

	"l2sm.io/l2sm/e2e/lab/image"
)

// maxProgram bounds what is read of one file of an image.
const maxProgram = 256 << 20

// bill lists what is in an image, as CycloneDX has it: Debian's packages, and the modules in Go programs. It is read from
// the image itself, as anybody can. The same image has the same bill.
func bill(reference, created string, img v1.Image) (*cdx.BOM, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("hash image: %w", err)
	}
	found, err := inspect(img)
	if err != nil {
		return nil, fmt.Errorf("read image %q: %w", reference, err)
	}
	b := cdx.NewBOM()
	b.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte(reference+"@"+digest.String())).URN()
	b.Metadata = &cdx.Metadata{Timestamp: created, Component: &cdx.Component{
		BOMRef: digest.String(), Type: cdx.ComponentTypeContainer, Name: reference, Version: digest.String(),
	}}
	b.Components = &found
	return b, nil
}

// inspect reads the files of an image.
func inspect(img v1.Image) ([]cdx.Component, error) {
	files := mutate.Extract(img)
	defer files.Close()
	var all []cdx.Component
	for archive := tar.NewReader(files); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return unique(all), nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxProgram {
			continue
		}
		found, err := inspectFile(h, archive)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		all = append(all, found...)
	}
}

func inspectFile(h *tar.Header, content io.Reader) ([]cdx.Component, error) {
	isPackage := path.Dir(h.Name) == "var/lib/dpkg/status.d"
	if !isPackage && h.Mode&0o111 == 0 {
		return nil, nil
	}
	data, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	if isPackage {
		return []cdx.Component{debianPackage(data)}, nil
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, nil // no Go program
	}
	return modules(info), nil
}

func debianPackage(control image.Control) cdx.Component {
	name, version, arch := control.Field("Package"), control.Field("Version"), control.Field("Architecture")
	return component(name, version, "pkg:deb/debian/"+name+"@"+escapeVersion.Replace(version)+"?arch="+arch)
}

// escapeVersion has a version as package URLs want it.
var escapeVersion = strings.NewReplacer("+", "%2B", ":", "%3A")

// modules are those of a Go program: itself, the standard library, and what it depends on.
func modules(info *debug.BuildInfo) []cdx.Component {
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	all := []cdx.Component{
		component(info.Path, info.Main.Version, "pkg:golang/"+info.Path),
		component("stdlib", goVersion, "pkg:golang/stdlib@"+goVersion),
	}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		all = append(all, component(m.Path, m.Version, "pkg:golang/"+m.Path+"@"+m.Version))
	}
	return all
}

func component(name, version, purl string) cdx.Component {
	return cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: purl}
}

func unique(all []cdx.Component) []cdx.Component {
	slices.SortFunc(all, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	return slices.CompactFunc(all, func(a, b cdx.Component) bool { return a.BOMRef == b.BOMRef })
}
