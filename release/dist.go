package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
)

func newDist() *cobra.Command {
	v := &version{}
	var out string
	var dry bool
	cmd := &cobra.Command{
		Use:   "dist",
		Short: "Push the images and write what goes with them into a folder",
		Long: "Push the images of a version and write install.yaml, the Helm chart, an example, lists of what is in the images\n" +
			"(CycloneDX), notes from CHANGELOG.md and checksums. With --dry-run the images go to a registry that\n" +
			"ends with the command; all else is the same.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := v.complete(); err != nil {
				return err
			}
			to := v.registry
			if dry {
				server := httptest.NewServer(newRegistry())
				defer server.Close()
				to = strings.TrimPrefix(server.URL, "http://") + "/dry-run"
			}
			return v.dist(cmd.Context(), cmd.OutOrStdout(), out, to)
		},
	}
	v.addFlags(cmd)
	cmd.Flags().StringVar(&out, "out", "dist", "folder to write, which is emptied first")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "push nothing to the registry")
	return cmd
}

// dist writes the folder, whole or not at all. The images go to a registry that may have another name here than where
// people pull from.
func (v *version) dist(ctx context.Context, progress io.Writer, out, to string) error {
	unfinished := filepath.Clean(out) + ".unfinished"
	defer os.RemoveAll(unfinished)
	if err := errors.Join(os.RemoveAll(unfinished), os.RemoveAll(out), os.MkdirAll(filepath.Join(unfinished, "sbom"), 0o755)); err != nil {
		return err
	}
	if err := v.fill(ctx, progress, unfinished, to); err != nil {
		return err
	}
	return os.Rename(unfinished, out)
}

func (v *version) fill(ctx context.Context, progress io.Writer, out, to string) error {
	target := *v
	target.registry = to
	digests := map[string]v1.Hash{}
	for _, image := range lab.ProductImages {
		index, err := v.index(ctx, image)
		if err != nil {
			return err
		}
		if digests[image], err = target.push(ctx, progress, image, index, false); err != nil {
			return err
		}
		if err := target.pulled(ctx, image, digests[image]); err != nil {
			return err
		}
		if err := v.writeBills(out, image, index); err != nil {
			return err
		}
	}
	return v.writeTexts(ctx, out, digests)
}

// newRegistry is a registry that forgets all it has when the program ends.
func newRegistry() http.Handler { return registry.New(registry.Logger(quiet)) }

var quiet = log.New(io.Discard, "", 0)

// pulled looks whether the registry has, under the version's name, what was pushed.
func (v *version) pulled(ctx context.Context, image string, want v1.Hash) error {
	ref, err := name.ParseReference(v.reference(image))
	if err != nil {
		return err
	}
	got, err := remote.Head(ref, remote.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("pull %q: %w", ref, err)
	}
	if got.Digest != want {
		return fmt.Errorf("%q is %s in the registry, and %s was pushed: did another push meet this one?", ref, got.Digest, want)
	}
	return nil
}

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

func (v *version) writeTexts(ctx context.Context, out string, digests map[string]v1.Hash) error {
	install, err := v.install(ctx, out, digests)
	if err != nil {
		return err
	}
	example, err := v.pingPong(digests["toolbox"])
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(filepath.Join(v.images.Repository, "CHANGELOG.md"))
	if err != nil {
		return fmt.Errorf("read changelog: %w", err)
	}
	changes, err := notes(string(changelog), v.name)
	if err != nil {
		return err
	}
	for file, text := range map[string][]byte{"install.yaml": install, "ping-pong.yaml": example, "notes.md": []byte(changes)} {
		if err := os.WriteFile(filepath.Join(out, file), text, 0o644); err != nil {
			return err
		}
	}
	if err := v.chart(ctx, out); err != nil {
		return err
	}
	return writeChecksums(out)
}
