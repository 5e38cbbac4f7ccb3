package node

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroups = "/sys/fs/cgroup"

// mount turns the copy of the machine's mounts, which a new mount namespace starts with, into a machine of its own.
func (f Folder) mount() error {
	// Nothing of what follows may reach the machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := f.mountKernelFiles(); err != nil {
		return err
	}
	for _, dir := range private {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
		if err := unix.Mount(f.Disk(dir), dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount the node's own %s: %w", dir, err)
		}
	}
	if err := mountRun(); err != nil {
		return err
	}
	// From here on as on a real host: a pod's Bidirectional mount reaches the node and the node's mounts reach pods.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make mounts shared: %w", err)
	}
	return nil
}

// mountKernelFiles mounts the /proc of the PID namespace and the /sys of the network namespace. A new /sys comes without
// control groups, so their tree is put aside and back.
func (f Folder) mountKernelFiles() error {
	aside := f.Disk("cgroup")
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	steps := []struct {
		what           string
		source, target string
		kind           string
		flags          uintptr
	}{
		{"put cgroups aside", cgroups, aside, "", unix.MS_BIND | unix.MS_REC},
		{"mount sysfs", "sysfs", "/sys", "sysfs", 0},
		{"put cgroups back", aside, cgroups, "", unix.MS_BIND | unix.MS_REC},
		{"mount proc", "proc", "/proc", "proc", 0},
	}
	for _, s := range steps {
		if err := unix.Mount(s.source, s.target, s.kind, s.flags, ""); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	if err := unix.Unmount(aside, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("forget cgroups put aside: %w", err)
	}
	return nil
}

// mountRun gives the node an empty /run. What the machine had mounted below it is let go first: a hidden mount would
// still hold the network namespaces of this and of other clusters.
func mountRun() error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	for _, point := range mountsBelow(string(table), "/run") {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("let go of %s: %w", point, err)
		}
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for _, dir := range []string{"/run/lock", "/run/netns"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("fill /run: %w", err)
		}
	}
	return nil
}

// mountsBelow lists the mount points strictly below dir, the last mounted first (proc(5), mountinfo, field 5).
func mountsBelow(mountinfo, dir string) []string {
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	slices.Reverse(points)
	return points
}
