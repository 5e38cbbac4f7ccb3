package main

import (
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// printSizes says, for each architecture, what a node downloads and what that is unpacked.
func printSizes(out io.Writer, index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	for _, m := range manifest.Manifests {
		img, err := index.Image(m.Digest)
		if err != nil {
			return fmt.Errorf("read image: %w", err)
		}
		download, unpacked, err := sizes(img)
		if err != nil {
			return fmt.Errorf("read image: %w", err)
		}
		fmt.Fprintf(out, "  %-6s %6.1f MB to download, %6.1f MB unpacked\n", m.Platform.Architecture, float64(download)/1e6, float64(unpacked)/1e6)
	}
	return nil
}

func sizes(img v1.Image) (download, unpacked int64, err error) {
	layers, err := img.Layers()
	if err != nil {
		return 0, 0, err
	}
	for _, l := range layers {
		size, err := l.Size()
		if err != nil {
			return 0, 0, err
		}
		content, err := l.Uncompressed()
		if err != nil {
			return 0, 0, err
		}
		n, err := io.Copy(io.Discard, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return 0, 0, err
		}
		download, unpacked = download+size, unpacked+n
	}
	return download, unpacked, nil
}
