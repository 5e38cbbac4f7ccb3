package main

import (
	"bytes"
	"context"
	"fmt"

	"l2sm.io/l2sm/internal/pki"
)

// sharedAuthority is the Secret of the one authority of v0.1.0. Every node of that
// version has the same certificate of it, and trusts it alone.
const sharedAuthority = "ovn-ca"

// shared returns the files by which the southbound database serves nodes of v0.1.0,
// empty where that version was never installed or its Secret is deleted. The
// controller is told of the authority, and decides how long it is trusted.
func (k *keeper) shared(ctx context.Context, hosts []string) (map[string][]byte, error) {
	s, err := k.get(ctx, sharedAuthority)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{pki.SharedFile: nil, "shared.crt": nil, "shared.key": nil}
	authority, err := pki.ParseAuthority(pairOf(s))
	if err == nil && authority.Covers(authority.Pair(), nil, k.now) {
		server, err := authority.Server("ovn-central", hosts, k.now)
		if err != nil {
			return nil, err
		}
		files = map[string][]byte{pki.SharedFile: authority.Pair().Certificate, "shared.crt": server.Certificate, "shared.key": server.Key}
	}
	k.former = files[pki.SharedFile]
	return files, k.publish(ctx)
}

// publish has the controller's Secret hold the authority's certificate, or none. One
// that is not there yet is created with it: the controller starts as soon as it is.
func (k *keeper) publish(ctx context.Context) error {
	s, err := k.get(ctx, controlSecret)
	if err != nil || s.ResourceVersion == "" || bytes.Equal(s.Data[pki.SharedFile], k.former) {
		return err
	}
	s.Data[pki.SharedFile] = k.former
	if err := k.api.Update(ctx, s); err != nil {
		return fmt.Errorf("update secret %q: %w", s.Name, err)
	}
	return nil
}
