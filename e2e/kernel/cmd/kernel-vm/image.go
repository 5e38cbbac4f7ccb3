package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"l2sm.io/l2sm/e2e/lab"
)

// ovnRoot is the product's image of OVN, unpacked in the cache.
func ovnRoot(ctx context.Context, cache lab.Cache, repository string, log io.Writer) (string, error) {
	images := lab.Images{Cache: cache, Repository: repository, Suite: suite(), Log: log}
	file, err := images.Build(ctx, "ovn")
	if err != nil {
		return "", err
	}
	root := filepath.Join(string(cache), "kernel", strings.TrimSuffix(filepath.Base(file), ".tar"))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return "", err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(root), ".unfinished-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(unfinished)
	if err := errors.Join(unpackLayers(ctx, file, unfinished), os.Chmod(unfinished, 0o755)); err != nil {
		return "", fmt.Errorf("unpack image %q: %w", file, err)
	}
	if err := os.Rename(unfinished, root); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return root, nil
}

// suite is the Debian release of OVN's image, as bin/lab images has it.
func suite() string {
	if s := os.Getenv("OVN_SUITE"); s != "" {
		return s
	}
	return "trixie"
}

// unpackLayers unpacks a docker-archive, whose layers are archives in it. Ours have one.
func unpackLayers(ctx context.Context, file, to string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.Contains(header.Name, ".tar") {
			continue
		}
		cmd := exec.CommandContext(ctx, "tar", "--extract", "--directory", to, "--exclude=./dev/*")
		cmd.Stdin = archive
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", header.Name, err, out)
		}
	}
}
