//go:build integration

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/netns"
)

// A shell that brings a cluster up under a lock (flock(1) keeps it on an open file) gets the lock back when `up` is done.
func TestDaemonsHoldNoFileOfTheCaller(t *testing.T) {
	l := newTestLab(t)
	name := l.plan.namespace(controlPlane)
	if err := errors.Join(netns.Create(name), cgroup.Create(name), os.MkdirAll(l.path("log"), 0o755), os.MkdirAll(l.path("pids"), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(killAll(name), cgroup.Remove(name), netns.Delete(name)); err != nil {
			t.Error(err)
		}
	})
	lock := filepath.Join(t.TempDir(), "lock")
	file, err := os.Create(lock)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// As a shell's `exec 9> lock` leaves it: open across exec, unlike what Go opens.
	inherited, err := unix.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)

	if err := l.start(process{name: "daemon", namespace: name, argv: []string{"sleep", "60"}, files: []*os.File{file}}); err != nil {
		t.Fatal(err)
	}
	pid, alive := l.running(name, "daemon")
	if !alive {
		t.Fatal("the daemon does not run")
	}
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil && target == lock {
			held = append(held, filepath.Base(fd))
		}
	}
	// Descriptor 3 was handed on.
	if len(held) != 1 || held[0] != "3" {
		t.Errorf("the daemon has the caller's file open as %v, want as [3] alone, which it was given", held)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}
