// Command load puts the images of a docker-archive, read from standard input, into the storage of CRI-O, which has no
// call for that: its images come from registries.
//
//	load ROOT RUNROOT < image.tar
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/containers/image/v5/copy"
	"github.com/containers/image/v5/docker/archive"
	"github.com/containers/image/v5/signature"
	"github.com/containers/image/v5/storage"
	"github.com/containers/image/v5/types"
	store "github.com/containers/storage"
	"github.com/containers/storage/pkg/reexec"
)

func main() {
	if reexec.Init() { // a child that unpacks a layer
		return
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: load ROOT RUNROOT < image.tar")
		os.Exit(2)
	}
	if err := load(context.Background(), store.StoreOptions{
		GraphDriverName: "overlay", GraphRoot: os.Args[1], RunRoot: os.Args[2],
	}); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func load(ctx context.Context, options store.StoreOptions) (err error) {
	s, err := store.GetStore(options)
	if err != nil {
		return fmt.Errorf("open storage of CRI-O: %w", err)
	}
	// The files come from the user of the local cluster, who is root on this machine.
	policy, err := signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}})
	if err != nil {
		return fmt.Errorf("make signature policy: %w", err)
	}
	defer func() { err = errors.Join(err, policy.Destroy()) }()
	reader, err := archive.NewReader(&types.SystemContext{}, "/dev/stdin")
	if err != nil {
		return fmt.Errorf("read image: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	images, err := reader.List()
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	for _, image := range images {
		for _, from := range image {
			to, err := storage.Transport.NewStoreReference(s, from.DockerReference(), "")
			if err != nil {
				return fmt.Errorf("name image %q: %w", from.DockerReference(), err)
			}
			if _, err := copy.Image(ctx, policy, to, from, nil); err != nil {
				return fmt.Errorf("store image %q: %w", from.DockerReference(), err)
			}
		}
	}
	return nil
}
