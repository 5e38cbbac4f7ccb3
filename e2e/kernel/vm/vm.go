// Package vm runs a command under Debian's stock kernel, in a virtual machine without hardware support: the tests' own
// kernel may lack the modules that a node has. The guest sees this machine's files, read-only beneath a tmpfs, and reaches
// its loopback addresses at HostAddress. It is powered off when the command ends.
package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// HostAddress is where the guest reaches what listens on this machine's 127.0.0.1.
const HostAddress = "10.0.2.2"

// Options of Run.
type Options struct {
	Cache   string        // folder for the kernel
	Init    string        // the program kernel-vm, statically linked: the guest's first process
	Args    []string      // the command, found by the guest's PATH
	Dir     string        // its working directory
	Env     []string      // its environment beyond PATH and HOME, as KEY=VALUE
	Memory  string        // of the guest, as qemu's -m; default 4G
	Timeout time.Duration // of everything, the guest's start included
	Stdout  io.Writer     // what the command prints, its errors included
	Log     io.Writer     // what is done before
}

// task is what the guest reads in the folder that both sides share.
type task struct {
	Args, Env []string
	Dir       string
	Modules   string // folder of the kernel's modules
}

const (
	taskFile    = "task.json"
	exitFile    = "exit"
	consoleFile = "console"
)

// Run boots the guest, runs the command in it and returns the command's exit code. The guest is gone when it returns.
func Run(ctx context.Context, o Options) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	k, err := prepareKernel(ctx, o.Cache, o.Log)
	if err != nil {
		return 0, err
	}
	shared, err := os.MkdirTemp("", "l2sm-vm-")
	if err != nil {
		return 0, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(shared)
	text, err := json.Marshal(task{Args: o.Args, Env: o.Env, Dir: o.Dir, Modules: k.modules()})
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(shared, taskFile), text, 0o600); err != nil {
		return 0, err
	}
	initramfs := filepath.Join(shared, "initramfs")
	if err := writeInitramfs(ctx, initramfs, o.Init, k); err != nil {
		return 0, fmt.Errorf("make initramfs: %w", err)
	}
	if err := boot(ctx, o, k, initramfs, shared); err != nil {
		return 0, fmt.Errorf("%w; the guest's console said:\n%s", err, console(shared))
	}
	return exitCode(shared)
}

// boot returns when the guest has powered off.
func boot(ctx context.Context, o Options, k kernel, initramfs, shared string) error {
	// The signal below comes when this thread ends, so it must not end before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", arguments(o, k, initramfs, shared)...)
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = o.Stdout, &errs
	// It never says anything, but were it closed, qemu would close the port as well.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	// An interrupt in the terminal is for us; a guest must not outlive us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("the guest was ended after %s: %w", o.Timeout, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("run qemu: %w: %s", err, errs.String())
	}
	return nil
}

func exitCode(shared string) (int, error) {
	text, err := os.ReadFile(filepath.Join(shared, exitFile))
	if err != nil {
		return 0, errors.Join(fmt.Errorf("the guest ended before the command did; its console said:\n%s", console(shared)), err)
	}
	return strconv.Atoi(string(text))
}

// console is the end of what the guest's kernel and first process said.
func console(shared string) string {
	text, _ := os.ReadFile(filepath.Join(shared, consoleFile))
	const most = 4000
	return string(text[max(0, len(text)-most):])
}
