package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// restartAfter is the pause before a service that ended is started again.
const restartAfter = time.Second

// service is a program that runs for as long as the node does.
type service struct {
	argv  []string
	path  string                // folder of programs that it calls, before those of $PATH
	log   string                // file that takes its output
	after func(context.Context) // waits for what the program needs
}

// supervise starts the services and starts again those that end. As PID 1 it also reaps every orphan of the node, so
// it learns of a service's end from wait4(2) and not from exec.Cmd, which would wait for the same child.
func supervise(ctx context.Context, services []service) error {
	children := &children{exits: map[int]chan struct{}{}}
	failed := make(chan error)
	for _, s := range services {
		go func() { failed <- children.keep(ctx, s) }()
	}
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	for {
		select {
		case err := <-failed:
			return err
		case <-died:
			children.reap()
		}
	}
}

type children struct {
	mu    sync.Mutex
	exits map[int]chan struct{} // by pid, closed when it has ended
}

// keep returns only when the service cannot be started at all.
func (c *children) keep(ctx context.Context, s service) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	for {
		if s.after != nil {
			s.after(ctx)
		}
		exit, err := c.start(s, log)
		if err != nil {
			return err
		}
		<-exit
		time.Sleep(restartAfter)
	}
}

// start holds the lock until the child is on record, so that reap never meets one that it does not know yet.
func (c *children) start(s service, log *os.File) (<-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.path != "" {
		cmd.Env = append(os.Environ(), "PATH="+s.path+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %q: %w", s.argv[0], err)
	}
	exit := make(chan struct{})
	c.exits[cmd.Process.Pid] = exit
	return exit, cmd.Process.Release()
}

func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if exit, ok := c.exits[pid]; ok {
			close(exit)
			delete(c.exits, pid)
		}
	}
}
