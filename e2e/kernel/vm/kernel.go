package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kernel is an unpacked package of Debian's kernel: the folder, which holds one version.
type kernel struct{ dir, version string }

// image is the uncompressed kernel, which qemu starts without a loader.
func (k kernel) image() string { return filepath.Join(k.dir, "vmlinux") }

func (k kernel) modules() string { return filepath.Join(k.dir, "lib", "modules", k.version) }

// metaPackage depends on the newest stock kernel of this Debian release.
const metaPackage = "linux-image-amd64"

// prepareKernel finds the kernel in the cache, and downloads it the first time.
func prepareKernel(ctx context.Context, cache string, log io.Writer) (kernel, error) {
	name, err := kernelPackage(ctx)
	if err != nil {
		return kernel{}, err
	}
	k := kernel{dir: filepath.Join(cache, "kernel", name), version: strings.TrimPrefix(name, "linux-image-")}
	if _, err := os.Stat(k.dir); err == nil {
		return k, nil
	}
	fmt.Fprintf(log, "downloading Debian's package %s, this once\n", name)
	if err := os.MkdirAll(filepath.Dir(k.dir), 0o755); err != nil {
		return kernel{}, err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(k.dir), ".unfinished-*")
	if err != nil {
		return kernel{}, err
	}
	defer os.RemoveAll(unfinished)
	if err := unpack(ctx, kernel{dir: unfinished, version: k.version}, name); err != nil {
		return kernel{}, fmt.Errorf("get package %q: %w", name, err)
	}
	// It appears whole or not at all. Another run may have been quicker.
	if err := os.Rename(unfinished, k.dir); err != nil && !errors.Is(err, os.ErrExist) {
		return kernel{}, fmt.Errorf("keep package %q: %w", name, err)
	}
	return k, nil
}

// kernelPackage asks apt, and refreshes its lists where they don't have it.
func kernelPackage(ctx context.Context) (string, error) {
	for _, refresh := range []bool{false, true} {
		if refresh {
			if _, err := output(ctx, "", "apt-get", "-qq", "update"); err != nil {
				return "", err
			}
		}
		out, err := output(ctx, "", "apt-cache", "depends", metaPackage)
		if err != nil {
			continue // not in the lists
		}
		for line := range strings.Lines(string(out)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok && strings.HasPrefix(name, "linux-image-") {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("apt has no package %q", metaPackage)
}

func unpack(ctx context.Context, k kernel, name string) error {
	if _, err := output(ctx, k.dir, "apt-get", "-qq", "download", name); err != nil {
		// The lists name a version that the archive has no more.
		if _, err := output(ctx, "", "apt-get", "-qq", "update"); err != nil {
			return err
		}
		if _, err := output(ctx, k.dir, "apt-get", "-qq", "download", name); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(k.dir, "*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("downloaded %v, want one package (%w)", files, err)
	}
	if _, err := output(ctx, "", "dpkg", "-x", files[0], k.dir); err != nil {
		return err
	}
	if err := uncompress(ctx, filepath.Join(k.dir, "boot", "vmlinuz-"+k.version), k.image()); err != nil {
		return err
	}
	_, err = output(ctx, "", "depmod", "-b", k.dir, k.version)
	return errors.Join(err, os.Remove(files[0]))
}

// uncompress takes the kernel out of its self-extracting file. To have the guest do that costs it half a minute.
func uncompress(ctx context.Context, from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	begin := bytes.Index(text, []byte("\xfd7zXZ\x00"))
	if begin < 0 {
		return fmt.Errorf("%q holds no kernel that xz compressed", from)
	}
	cmd := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--single-stream")
	cmd.Stdin = bytes.NewReader(text[begin:])
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("uncompress %q: %w", from, err)
	}
	return os.WriteFile(to, out, 0o644)
}

func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return out, nil
}
