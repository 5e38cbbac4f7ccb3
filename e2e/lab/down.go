package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/netns"
	"l2sm.io/l2sm/e2e/lab/patience"
)

// endWithin bounds the wait for killed processes to be gone.
const endWithin = 10 * time.Second

// Down removes all that there is of a cluster: processes, mounts, namespaces, control groups and files. It finds them by
// the cluster's name, so it does not matter how far the cluster came up or what of it has died. Of a cluster that does
// not exist it removes nothing, and succeeds.
func Down(cache Cache, name string) error {
	unlock, err := lock(name)
	if err != nil {
		return err
	}
	defer unlock()
	return remove(cache, name)
}

func remove(cache Cache, name string) error {
	p, err := newPlan(name, 1)
	if err != nil {
		return err
	}
	namespaces, err := netns.Names(p.owns)
	if err != nil {
		return err
	}
	for _, ns := range namespaces {
		if err := killAll(ns); err != nil {
			return err
		}
	}
	groups, err := cgroup.Names(p.owns)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := cgroup.Remove(g); err != nil {
			return err
		}
	}
	if len(namespaces) > 0 {
		if err := netns.Delete(namespaces...); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(cache.lab(name)); err != nil {
		return fmt.Errorf("remove files of lab %q: %w", name, err)
	}
	return nil
}

// killAll ends every process in the namespace. A node's PID 1 is one of them, and with it the kernel ends all that it
// ever started, pods included, and takes its mounts away.
func killAll(namespace string) error {
	deadline := time.Now().Add(patience.Of(endWithin))
	for {
		pids, err := netns.Processes(namespace)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(pids) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("end processes in network namespace %q: %v are still there", namespace, pids)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d: %w", pid, err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
