// Package netns runs programs and opens connections in named network namespaces, the ones that `ip netns` lists.
package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const folder = "/run/netns"

// Path is where iproute2 keeps the namespace's handle.
func Path(name string) string { return filepath.Join(folder, name) }

// Exists tells whether a namespace of that name is mounted.
func Exists(name string) bool {
	_, err := os.Stat(Path(name))
	return err == nil
}

// Create makes the namespaces. It goes through iproute2, so that they show in `ip netns` with the mount propagation
// that other programs expect there.
func Create(names ...string) error { return batch("add", names) }

// Delete removes the namespaces. One lives on while a process is inside it.
func Delete(names ...string) error { return batch("del", names) }

func batch(verb string, names []string) error {
	var script strings.Builder
	for _, name := range names {
		fmt.Fprintf(&script, "netns %s %s\n", verb, name)
	}
	return run(exec.Command("ip", "-batch", "-"), script.String())
}

// IP runs a script of ip commands in the namespace, one a line (ip(8), -batch), and stops at the first that fails.
func IP(name, script string) error {
	if err := run(exec.Command("ip", "-n", name, "-batch", "-"), script); err != nil {
		return fmt.Errorf("configure network namespace %q: %w", name, err)
	}
	return nil
}

func run(cmd *exec.Cmd, script string) error {
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Names lists the namespaces for which keep says yes.
func Names(keep func(name string) bool) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if keep(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Links lists the names of the network interfaces in the namespace.
func Links(name string) ([]string, error) {
	var names []string
	err := Do(name, func() error {
		all, err := net.Interfaces()
		for _, i := range all {
			names = append(names, i.Name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list links of network namespace %q: %w", name, err)
	}
	return names, nil
}

// Do calls f on a thread that is inside the namespace. Sockets that f opens and processes that it starts stay there.
func Do(name string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- visit(name, f) }()
	return <-done
}

// visit runs on a goroutine of its own. A thread that cannot go home stays locked, and so never runs anything else.
// Ending it would not do: the first thread of a process stands for all of it in /proc, and only hangs.
func visit(name string, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("open own network namespace: %w", err)
	}
	defer home.Close()
	there, err := os.Open(Path(name))
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", name, err)
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %q: %w", name, err)
	}
	result := f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leave network namespace %q: %w", name, err)
	}
	runtime.UnlockOSThread()
	return result
}

// Dial connects from inside the namespace. The address must be numeric: a lookup would happen on another thread.
func Dial(ctx context.Context, name, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := Do(name, func() error {
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Processes lists the pids that are inside the namespace, as `ip netns pids` does.
func Processes(name string) ([]int, error) {
	var want unix.Stat_t
	if err := unix.Stat(Path(name), &want); err != nil {
		return nil, fmt.Errorf("stat network namespace %q: %w", name, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && inside(pid, want) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Holds tells whether the process is inside the namespace: a pid on file may have been given to another program since.
func Holds(name string, pid int) bool {
	var want unix.Stat_t
	return unix.Stat(Path(name), &want) == nil && inside(pid, want)
}

// inside is false for a process that has ended, also while nobody has reaped it: a zombie has no namespaces.
func inside(pid int, want unix.Stat_t) bool {
	var got unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &got)
	return err == nil && got.Dev == want.Dev && got.Ino == want.Ino
}
