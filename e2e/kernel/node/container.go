package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// container is a program that is started again when it ends.
type container struct {
	pod     *Pod
	spec    corev1.Container
	sidecar bool
	done    chan struct{} // closed when it is not started any more

	mu  sync.Mutex
	pid int
}

// restartAfter is the kubelet's first back-off, shortened by its 10 s to what matters: that one ended and another starts.
const restartAfter = time.Second

func (p *Pod) keep(running context.Context, spec corev1.Container, sidecar bool) {
	c := &container{pod: p, spec: spec, sidecar: sidecar, done: make(chan struct{})}
	p.mu.Lock()
	p.containers = append(p.containers, c)
	p.mu.Unlock()
	go c.run(running)
}

func (c *container) run(running context.Context) {
	defer close(c.done)
	for running.Err() == nil {
		if err := c.once(); err != nil {
			c.pod.note(c.spec.Name, "ended: "+err.Error())
		}
		select {
		case <-running.Done():
		case <-time.After(restartAfter):
		}
	}
}

// once runs it in a group of its own, of which nothing stays.
func (c *container) once() error {
	log, err := os.OpenFile(c.pod.logFile(c.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := c.pod.command(context.Background(), c.spec, c.spec.Command...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.set(cmd.Process.Pid)
	err = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	c.set(0)
	return err
}

func (c *container) set(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = pid
}

// signal reaches the container's own process; KILL reaches all of them.
func (c *container) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 {
		return
	}
	pid := c.pid
	if s == syscall.SIGKILL {
		pid = -pid
	}
	_ = syscall.Kill(pid, s)
}

func (c *container) stop(ctx context.Context, grace time.Duration) {
	end := time.After(grace)
	if l := c.spec.Lifecycle; l != nil && l.PreStop != nil && l.PreStop.Exec != nil {
		if out, err := c.pod.command(ctx, c.spec, l.PreStop.Exec.Command...).CombinedOutput(); err != nil {
			c.pod.note(c.spec.Name, fmt.Sprintf("preStop: %v: %s", err, out))
		}
	}
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return
	case <-end:
	}
	c.pod.note(c.spec.Name, "killed at the end of its grace period")
	c.signal(syscall.SIGKILL)
	<-c.done
}

// command runs with what the manifest gives to the container.
func (p *Pod) command(ctx context.Context, c corev1.Container, args ...string) *exec.Cmd {
	var argv []string
	if p.root != "/" {
		argv = append(argv, "chroot", p.root)
	}
	argv = append(argv, "setpriv", "--no-new-privs", "--bounding-set="+capabilities(c), "--inh-caps="+capabilities(c), "env", "-i")
	argv = append(argv, p.environment(c)...)
	return p.Enter(ctx, append(argv, args...)...)
}

// capabilities as setpriv(1) takes them: those that the manifest adds, and no other.
func capabilities(c corev1.Container) string {
	list := []string{"-all"}
	if c.SecurityContext != nil && c.SecurityContext.Capabilities != nil {
		for _, a := range c.SecurityContext.Capabilities.Add {
			list = append(list, "+"+strings.ToLower(string(a)))
		}
	}
	return strings.Join(list, ",")
}

func (p *Pod) logFile(container string) string { return filepath.Join(p.dir, container+".log") }

func (p *Pod) note(container, text string) {
	log, err := os.OpenFile(p.logFile(container), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintln(log, "kubelet:", text)
		_ = log.Close()
	}
}

// Log is the end of what a container has said.
func (p *Pod) Log(container string) string {
	text, _ := os.ReadFile(p.logFile(container))
	const most = 3000
	return string(text[max(0, len(text)-most):])
}
