package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
		Long: "Push the images of a version and write install.yaml, the same for Kubernetes before 1.36, edge.yaml, edge-wireguard.yaml, the Helm chart,\n" +
			"an example, lists of what is in the images (CycloneDX), notes from CHANGELOG.md and checksums. With --dry-run\n" +
			"the images go to a registry that ends with the command; all else is the same.",
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

func (v *version) writeTexts(ctx context.Context, out string, digests map[string]v1.Hash) error {
	texts := map[string][]byte{}
	for file, manifests := range v.manifests {
		install, err := v.install(ctx, out, manifests, digests)
		if err != nil {
			return err
		}
		texts[file] = install
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
	texts["ping-pong.yaml"], texts["notes.md"] = example, []byte(changes)
	for file, text := range texts {
		if err := os.WriteFile(filepath.Join(out, file), text, 0o644); err != nil {
			return err
		}
	}
	if err := v.chart(ctx, out); err != nil {
		return err
	}
	return writeChecksums(out)
}
