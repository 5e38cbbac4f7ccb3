package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The names of the guest's devices.
const (
	rootTag    = "hostroot"
	sharedTag  = "shared"
	outputPort = "output"
)

// InGuest says whether this process is the guest's first one, which must call Guest.
func InGuest() bool { return os.Getpid() == 1 }

// Guest makes the machine's files the guest's, runs the task and powers off. It never returns.
func Guest() {
	if err := guest(); err != nil {
		fmt.Fprintln(os.Stderr, "kernel-vm:", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // the first process must not end before
}

func guest() error {
	t, err := enterRoot()
	if err != nil {
		return err
	}
	if err := upNetwork(); err != nil {
		return err
	}
	code, err := t.run()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(sharedFolder, exitFile), []byte(strconv.Itoa(code)), 0o600)
}

// run starts the command and, as a first process must, reaps whatever loses its parent.
func (t task) run() (int, error) {
	port, err := openOutput()
	if err != nil {
		return 0, err
	}
	defer port.Close()
	// A pipe: the port can be opened once only, and programs open /dev/stderr.
	from, to, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(port, from)
	}()
	code, err := t.runInto(to)
	err = errors.Join(err, to.Close())
	select {
	case <-copied:
	case <-time.After(time.Second): // something that the command left still holds the pipe
	}
	return code, err
}

func (t task) runInto(out *os.File) (int, error) {
	for _, v := range append([]string{"PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}, t.Env...) {
		key, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(key, value); err != nil {
			return 0, err
		}
	}
	if err := os.Chdir(t.Dir); err != nil {
		return 0, err
	}
	path, err := exec.LookPath(t.Args[0])
	if err != nil {
		fmt.Fprintln(out, err)
		return 127, nil
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	process, err := os.StartProcess(path, t.Args, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{null, out, out}})
	if err != nil {
		fmt.Fprintln(out, err)
		return 126, nil
	}
	return reapUntil(process.Pid)
}

// reapUntil returns the exit code of the process, as shells have it.
func reapUntil(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait for the command: %w", err)
		}
		if ended != pid {
			continue
		}
		if status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return status.ExitStatus(), nil
	}
}

// openOutput opens the port that the host reads: the console is the kernel's.
func openOutput() (*os.File, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		name, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(name)) == outputPort {
			return os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(file))), os.O_WRONLY, 0)
		}
	}
	return nil, fmt.Errorf("no virtio port %q among %v", outputPort, names)
}

func readTask(folder string) (task, error) {
	var t task
	text, err := os.ReadFile(filepath.Join(folder, taskFile))
	if err != nil {
		return t, fmt.Errorf("read the task: %w", err)
	}
	return t, json.Unmarshal(text, &t)
}
