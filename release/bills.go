package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// writeBills lists what is in the image of each architecture.
func (v *version) writeBills(out, image string, index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return fmt.Errorf("read image %s: %w", image, err)
	}
	for _, m := range manifest.Manifests {
		img, err := index.Image(m.Digest)
		if err != nil {
			return fmt.Errorf("read image %s: %w", image, err)
		}
		b, err := bill(v.reference(image), v.created.Format(time.RFC3339), img)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		encoder := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON)
		encoder.SetPretty(true)
		if err := encoder.Encode(b); err != nil {
			return fmt.Errorf("write what is in image %s: %w", image, err)
		}
		file := fmt.Sprintf("l2sm-%s-%s.cdx.json", image, m.Platform.Architecture)
		if err := os.WriteFile(filepath.Join(out, "sbom", file), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
