package ovntest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// process is a daemon in the foreground that dies with the test program.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer // complete when done is closed
	done   chan struct{}
}

// start starts a program that runs until it is stopped.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(find(t, name), args...), done: make(chan struct{})}
	p.cmd.Stdout = &p.output
	p.cmd.Stderr = &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	// The kernel sends the signal when the thread ends that made the process,
	// so this goroutine keeps that thread until the process has ended.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended shows in its output
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	return p
}

// stop ends the process as an operator would.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(timeout):
		p.kill()
		t.Fatalf("%s did not end in %s", p.cmd.Path, timeout)
	}
}

// kill ends the process whatever state it is in.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails when it has ended
	<-p.done
}

func (p *process) signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("send %s to %s: %v", signal, p.cmd.Path, err)
	}
}

// run runs a program to its end and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(find(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// find returns the path of one of OVS' or OVN's programs. Some are where only
// root's PATH leads.
func find(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, filepath.Join("/usr/sbin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("%s is missing: install Open vSwitch and OVN (Debian: apt-get install openvswitch-switch ovn-central)", name)
	return ""
}
