package lab

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/netns"
)

// process is a program that outlives the call that started it. Its pid is kept in a file.
type process struct {
	name      string // of its pid file and its log
	namespace string // network namespace, and control group
	argv      []string
	files     []*os.File // inherited, from descriptor 3 on
	clone     uintptr    // further namespaces that it is born into
}

// start leaves a process alone that runs.
func (l *Lab) start(p process) error {
	if _, alive := l.running(p.namespace, p.name); alive {
		return nil
	}
	if err := keepFilesOfCaller(); err != nil {
		return err
	}
	log, err := os.Create(l.path("log", p.name+".log"))
	if err != nil {
		return fmt.Errorf("create log of %s: %w", p.name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, p.files
	// A session of its own: it gets no signal of the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: p.clone}
	if err := netns.Do(p.namespace, cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() { _ = cmd.Wait() }() // leaves no zombie when it is killed while we run
	// Out of the control group of the shell that called us: a cluster outlives a session.
	if err := cgroup.Add(p.namespace, cmd.Process.Pid); err != nil {
		return err
	}
	if err := os.WriteFile(l.pidFile(p.name), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return fmt.Errorf("write pid of %s: %w", p.name, err)
	}
	return nil
}

// keepFilesOfCaller has no program that we start from here on inherit what our caller left open, such as a file with a
// lock on it, which a daemon would hold for as long as it lives. The three standard streams are replaced anyway.
func keepFilesOfCaller() error {
	const firstOther, last = 3, math.MaxUint32
	if err := unix.CloseRange(firstOther, last, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keep open files from daemons: %w", err)
	}
	return nil
}

// running returns the pid of a process, if it lives.
func (l *Lab) running(namespace, name string) (int, bool) {
	data, err := os.ReadFile(l.pidFile(name))
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid, err == nil && netns.Holds(namespace, pid)
}

func (l *Lab) pidFile(name string) string { return l.path("pids", name) }
