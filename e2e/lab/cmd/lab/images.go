package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
)

func newImages(f *flags) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "images [NAME...]",
		Short: "Build container images, those that are not in the cache",
		Long: "Build container images (" + strings.Join(lab.AllImages, ", ") + ") as files for `lab load`.\n" +
			"The images controller, agent and edge take the programs from bin/. OVN_SUITE=bookworm builds the image ovn from Debian 12.",
		ValidArgs: lab.AllImages,
		RunE: func(cmd *cobra.Command, names []string) error {
			repository, err := lab.Repository()
			if err != nil {
				return err
			}
			if len(names) == 0 {
				names = lab.AllImages
			}
			images := lab.Images{Cache: lab.Cache(f.cache), Repository: repository, Suite: ovnSuite(), Log: cmd.OutOrStdout()}
			for _, name := range names {
				cached, err := images.Cached(name)
				if err != nil {
					return err
				}
				if !cached {
					fmt.Fprintf(cmd.OutOrStdout(), "         building the image %s\n", name)
				}
				start := time.Now()
				file, err := images.Build(cmd.Context(), name)
				if err != nil {
					return err
				}
				target := filepath.Join(out, name+".tar")
				if err := lab.Publish(file, target); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%6.1fs  %s\n", time.Since(start).Seconds(), target)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", filepath.Join("bin", "images"), "folder for the image files")
	return cmd
}

func ovnSuite() string {
	if suite := os.Getenv("OVN_SUITE"); suite != "" {
		return suite
	}
	return "trixie"
}
