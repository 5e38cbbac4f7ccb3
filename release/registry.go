package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

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
