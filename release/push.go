package main

import (
	"context"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
)

func newPush() *cobra.Command {
	v := &version{}
	var plain bool
	cmd := &cobra.Command{
		Use:   "push [NAME...]",
		Short: "Build the images for each architecture and push them under the version's name",
		Long: "Build the images and push them, each as an index of its architectures, and print their digests.\n" +
			"It logs in as docker login and podman login have it. SOURCE_DATE_EPOCH is the commit's time.",
		ValidArgs: lab.ProductImages,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := v.complete(); err != nil {
				return err
			}
			if len(names) == 0 {
				names = lab.ProductImages
			}
			for _, n := range names {
				index, err := v.index(cmd.Context(), n)
				if err != nil {
					return err
				}
				if _, err := v.push(cmd.Context(), cmd.OutOrStdout(), n, index, plain); err != nil {
					return err
				}
			}
			return nil
		},
	}
	v.addFlags(cmd)
	cmd.Flags().BoolVar(&plain, "plain-http", false, "the registry has no certificate; one on this machine needs none")
	return cmd
}

// push gives the registry an image, layers that it has already left out.
func (v *version) push(ctx context.Context, out io.Writer, image string, index v1.ImageIndex, plain bool) (v1.Hash, error) {
	options := []name.Option{name.StrictValidation}
	if plain {
		options = append(options, name.Insecure)
	}
	tag, err := name.NewTag(v.reference(image), options...)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("parse image name %q: %w", v.reference(image), err)
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("hash image %q: %w", tag, err)
	}
	if err := remote.WriteIndex(tag, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return v1.Hash{}, fmt.Errorf("push %q (is the registry's login right? docker login): %w", tag, err)
	}
	fmt.Fprintf(out, "%s@%s\n", tag, digest)
	return digest, printSizes(out, index)
}
