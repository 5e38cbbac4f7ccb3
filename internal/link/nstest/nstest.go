// Package nstest runs tests in network namespaces of their own, as root:
// whatever a test makes or starts is gone when its process is.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tempDir takes the tests' temporary files.
const tempDir = "/run/tmp"

// inside marks the process that Main starts.
const inside = "L2SM_NSTEST_INSIDE"

// The main thread is the main goroutine's alone: Go cannot end that thread, so
// one that NewNS put into a namespace would hold it as long as the process runs.
func init() { runtime.LockOSThread() }

// Main is for TestMain: it runs the package's tests in a process with network,
// mount and PID namespaces of its own and an empty /run, after the
// preparations, and exits with their result. The kernel kills every process
// that a test started when that process ends, however it ends.
func Main(m *testing.M, prepare ...func() error) {
	if os.Getenv(inside) == "" {
		os.Exit(reexec())
	}
	for _, step := range append([]func() error{enter}, prepare...) {
		if err := step(); err != nil {
			fmt.Fprintln(os.Stderr, "nstest:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func reexec() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL, // follows the thread that starts the child: the main one
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "nstest: these tests make network namespaces and need root (CAP_SYS_ADMIN): %v\n", err)
		return 1
	}
	return 0
}

func enter() error {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := errors.Join(os.Mkdir(tempDir, 0o700), os.Setenv("TMPDIR", tempDir)); err != nil {
		return fmt.Errorf("make %s: %w", tempDir, err)
	}
	return upLoopback()
}

func upLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("get lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// NewNS makes a network namespace and returns its path, as a container runtime
// hands it to CNI. It lives until the test ends.
func NewNS(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "netns")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	made := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and takes its
		// way into the namespace along.
		runtime.LockOSThread()
		made <- makeNS(file)
	}()
	if err := <-made; err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	t.Cleanup(func() { RemoveNS(t, file) })
	return file
}

func makeNS(file string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := upLoopback(); err != nil {
		return err
	}
	return unix.Mount("/proc/thread-self/ns/net", file, "", unix.MS_BIND, "")
}

// RemoveNS ends a network namespace as a container runtime does, with all that
// is in it. What is gone already is fine.
func RemoveNS(t testing.TB, path string) {
	t.Helper()
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		t.Errorf("unmount network namespace %q: %v", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("remove network namespace %q: %v", path, err)
	}
}

// Do runs f on a thread in the network namespace.
func Do(t testing.TB, path string, f func() error) {
	t.Helper()
	if err := ns.WithNetNSPath(path, func(ns.NetNS) error { return f() }); err != nil {
		t.Fatalf("in network namespace %q: %v", path, err)
	}
}
