package image

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	sources, err := machineSources()
	if err != nil {
		return err
	}
	if mirror := findMirror(sources); mirror != "" {
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

// machineSources reads apt's configuration of the machine, both formats of it (sources.list(5)).
func machineSources() (string, error) {
	files, err := filepath.Glob("/etc/apt/sources.list.d/*.sources")
	if err != nil {
		return "", err
	}
	lists, err := filepath.Glob("/etc/apt/sources.list.d/*.list")
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, f := range slices.Concat(files, lists, []string{"/etc/apt/sources.list"}) {
		data, err := os.ReadFile(f)
		if err != nil && !os.IsNotExist(err) {
			return "", fmt.Errorf("read apt sources: %w", err)
		}
		all.Write(data)
		all.WriteByte('\n')
	}
	return all.String(), nil
}

// findMirror picks the machine's mirror of Debian from its apt sources. It is empty where the machine has none, say on
// Ubuntu; mmdebstrap then uses Debian's own.
func findMirror(sources string) string {
	scanner := bufio.NewScanner(strings.NewReader(sources))
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) == 0 || fields[0] != "deb" && fields[0] != "URIs:" {
			continue
		}
		for _, f := range fields[1:] {
			if strings.Contains(f, "://") && strings.HasSuffix(strings.TrimSuffix(f, "/"), "/debian") {
				return f
			}
		}
	}
	return ""
}
