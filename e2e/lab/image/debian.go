package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Debian is a root file system of Debian's packages, unpacked and not installed: no program of it runs while it is made,
// so that it can be made for any architecture. What the packages' scripts would have done is in finish.
type Debian struct {
	Suite    string
	Arch     string
	Packages []string          // with all they depend on
	Without  []string          // that others depend on, and programs of the image do not need
	Programs map[string]string // path in the image: a file of this machine, of the same architecture
}

// Write makes a tar file of it. The packages come from where the machine's own do.
func (d Debian) Write(ctx context.Context, out string) error {
	dir, err := os.MkdirTemp(filepath.Dir(out), ".packages-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := d.download(ctx, dir); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("install Debian %s for %s: no packages were downloaded", d.Suite, d.Arch)
	}
	t := newTree()
	content := filepath.Join(dir, "content")
	for _, file := range files {
		if err := d.unpack(ctx, t, file, filepath.Join(content, filepath.Base(file))); err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	if err := finish(t); err != nil {
		return fmt.Errorf("finish Debian %s: %w", d.Suite, err)
	}
	for target, source := range d.Programs {
		if err := t.addProgram(target, source); err != nil {
			return fmt.Errorf("pack %q: %w", source, err)
		}
	}
	if err := t.checkLibraries(); err != nil {
		return fmt.Errorf("finish Debian %s: %w", d.Suite, err)
	}
	return t.write(out, t.newest())
}

// download has mmdebstrap choose the packages, check their signatures and fetch them.
func (d Debian) download(ctx context.Context, dir string) error {
	mirrors, err := machineMirrors(d.Suite)
	if err != nil {
		return err
	}
	args := append([]string{
		"--variant=extract", "--format=null", "--architectures=" + d.Arch,
		"--include=" + strings.Join(d.Packages, ","),
		// What it unpacked is of no use here: only the packages are.
		`--extract-hook=cp --target-directory="$L2SM_PACKAGES" "$1"/var/cache/apt/archives/*.deb`,
		d.Suite, "/dev/null"}, mirrors...)
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Env = append(os.Environ(), "L2SM_PACKAGES="+dir)
	output, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("install Debian %s: %w: e2e/deps.sh installs it", d.Suite, err)
	}
	if err != nil {
		return fmt.Errorf("install Debian %s for %s: %w\n%s", d.Suite, d.Arch, err, output)
	}
	return nil
}

// ReadPackages reads a package list: one a line, `#` starts a comment.
func ReadPackages(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read package list: %w", err)
	}
	var packages []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		packages = append(packages, strings.Fields(line)...)
	}
	slices.Sort(packages)
	return slices.Compact(packages), nil
}
