// Package cgroup makes and removes a node's control group, in every hierarchy of cgroup v1 or in the one tree of v2.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const root = "/sys/fs/cgroup"

// removeWithin bounds how long Remove waits for the kernel to let go of the processes of a node that was just killed.
const removeWithin = 5 * time.Second

// Create makes the group at the top of every hierarchy. The kubelet is told of it as its cgroupRoot and makes its own below.
func Create(name string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, t := range trees {
		if err := create(t, name); err != nil {
			return err
		}
	}
	return nil
}

func create(tree, name string) error {
	if tree == root {
		return createV2(name)
	}
	if isV2(tree) {
		return nil // a hybrid machine's: who wants to use it makes what it needs
	}
	return createV1(tree, name)
}

// Add moves a process, and so all that it will start, into the group.
func Add(name string, pid int) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, t := range trees {
		if t != root && isV2(t) {
			continue
		}
		if err := add(t, name, pid); err != nil {
			return fmt.Errorf("move process %d to cgroup: %w", pid, err)
		}
	}
	return nil
}

// add uses a leaf of its own in v2, where a group with processes cannot pass controllers on to groups below it.
func add(tree, name string, pid int) error {
	group := filepath.Join(tree, name)
	if isV2(tree) {
		group = filepath.Join(group, "system")
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// createV2 first passes the root's controllers down: a group only has those that its parent passes on, and the kubelet
// refuses a cgroupRoot without them.
func createV2(name string) error {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read the controllers of cgroup v2: %w", err)
	}
	for _, c := range strings.Fields(string(controllers)) {
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
			return fmt.Errorf("pass on the cgroup controller %q: %w", c, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
		return fmt.Errorf("make cgroup %q: %w", name, err)
	}
	return nil
}

func createV1(tree, name string) error {
	group := filepath.Join(tree, name)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return fmt.Errorf("make cgroup %q: %w", group, err)
	}
	// A new cpuset is empty and takes no process until it has CPUs and memory nodes.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(tree, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s of %q: %w", file, tree, err)
		}
		if err := os.WriteFile(filepath.Join(group, file), bytes.TrimSpace(value), 0); err != nil {
			return fmt.Errorf("set %s of %q: %w", file, group, err)
		}
	}
	return nil
}

// Names lists the groups at the top of the hierarchies for which keep says yes.
func Names(keep func(name string) bool) ([]string, error) {
	trees, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range trees {
		entries, err := os.ReadDir(t)
		if err != nil {
			return nil, fmt.Errorf("list cgroups: %w", err)
		}
		for _, e := range entries {
			if e.IsDir() && keep(e.Name()) && !slices.Contains(names, e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	return names, nil
}

// Remove takes the group and all below it away. Its processes must have been killed.
func Remove(name string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, t := range trees {
		if err := removeTree(filepath.Join(t, name)); err != nil {
			return fmt.Errorf("remove cgroup: %w", err)
		}
	}
	return nil
}

func removeTree(group string) error {
	var groups []string
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return ignoreNotExist(err)
	})
	if err != nil {
		return err
	}
	slices.Reverse(groups) // children before parents
	for _, g := range groups {
		if err := rmdir(g); err != nil {
			return err
		}
	}
	return nil
}

// rmdir tries again while the group is busy: the kernel takes a killed process out of it only when it has ended.
func rmdir(group string) error {
	deadline := time.Now().Add(removeWithin)
	for {
		err := ignoreNotExist(os.Remove(group))
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// hierarchies lists the trees of control groups: the one of v2, or those of v1, where a hybrid machine has the tree of v2
// beside them. Names such as `cpu` may be links to `cpu,cpuacct` and are no trees of their own.
func hierarchies() ([]string, error) {
	if isV2(root) {
		return []string{root}, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	var trees []string
	for _, e := range entries {
		if e.IsDir() {
			trees = append(trees, filepath.Join(root, e.Name()))
		}
	}
	return trees, nil
}

func isV2(tree string) bool {
	var s unix.Statfs_t
	return unix.Statfs(tree, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC
}
