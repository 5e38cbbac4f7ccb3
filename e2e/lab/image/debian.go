package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Debian writes the root file system of a minimal Debian with the given packages as a tar file. The packages come from
// where the machine's own do.
func Debian(ctx context.Context, out, suite string, packages []string) error {
	args := []string{"--variant=minbase", "--format=tar",
		"--include=" + strings.Join(packages, ","),
		// Nobody reads manuals in a container.
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		suite, out}
	mirror, err := machineMirror()
	if err != nil {
		return err
	}
	if mirror != "" {
		args = append(args, mirror)
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install Debian %s: %w\n%s", suite, err, output)
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
