package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a program that runs until it is stopped, with its output in a file of its name.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of its end; read after done
}

func launch(dir, name string, env []string, argv ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.Env = append(os.Environ(), env...)
	// A group of its own: an interrupt in the terminal is for us, who end it in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stopWithin bounds how long a process may take to end by itself.
const stopWithin = 15 * time.Second

// stop ends the process, with force if need be. One that has ended, or was never started, is left alone.
func (p *process) stop() error {
	if p == nil || p.ended() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // else it would not hear the next one
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopWithin):
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// kill ends it without a warning.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) pid() int {
	if p == nil || p.ended() {
		return 0
	}
	return p.cmd.Process.Pid
}
