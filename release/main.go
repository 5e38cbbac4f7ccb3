// Command release makes what a version of l2sm hands out: images in a registry, for each architecture, and a folder with
// what is applied, checksums, lists of what is inside and notes. RELEASE.md says when.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "release",
		Short:         "Make what a version of l2sm hands out",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newPush(), newDist(), newTrial())
	return root
}

// addFlags adds what all commands need to know of a version.
func (v *version) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&v.registry, "registry", "", "where the images are, a path included: registry.example/l2sm")
	f.StringVar(&v.name, "version", "", "the version, which becomes the images' tag")
	f.StringVar(&v.revision, "revision", "", "the commit")
	f.StringSliceVar(&v.architectures, "arch", []string{"amd64", "arm64"}, "architectures; make programs GOARCH=... builds the programs of others")
	f.BoolVar(&v.images.Fresh, "fresh", false, "take Debian's packages as they are now, and no image of the cache")
	f.StringVar(&v.suite, "suite", "trixie", "Debian release of the image of OVN")
}

// complete looks for what flags do not say.
func (v *version) complete() error {
	if v.registry == "" || v.name == "" {
		return errors.New("--registry and --version are needed: as in make images push REGISTRY=registry.example/l2sm")
	}
	v.registry = strings.TrimSuffix(v.registry, "/")
	repository, err := lab.Repository()
	if err != nil {
		return err
	}
	cache, err := lab.DefaultCache()
	if err != nil {
		return err
	}
	v.created, err = sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	v.manifests = map[string]string{
		"install.yaml":             filepath.Join("manifests", "default"),
		"install-before-1.36.yaml": filepath.Join("manifests", "before-1.36"),
		"edge.yaml":                filepath.Join("manifests", "overlays", "edge"),
		"edge-wireguard.yaml":      filepath.Join("manifests", "overlays", "edge-wireguard"),
	}
	v.images.Cache, v.images.Repository, v.images.Time, v.images.Suite = cache, repository, v.created, v.suite
	return nil
}

// sourceDate is the time of the commit, which a build has in place of its own:
// https://reproducible-builds.org/docs/source-date-epoch/.
func sourceDate(seconds string) (time.Time, error) {
	if seconds == "" {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is not set: set it to the time of the commit, git log -1 --format=%ct")
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is no number of seconds: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}
