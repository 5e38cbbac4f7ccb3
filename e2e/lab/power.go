package lab

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/netns"
	"l2sm.io/l2sm/e2e/lab/patience"
)

// StopNode cuts a node's power: all of its processes end at once, its links and its memory are gone. Its disk stays.
func (l *Lab) StopNode(name string) error {
	n, err := l.plan.node(name)
	if err != nil {
		return err
	}
	if !netns.Exists(n.Namespace) {
		return nil
	}
	if err := killAll(n.Namespace); err != nil {
		return err
	}
	if err := cgroup.Remove(n.Namespace); err != nil {
		return err
	}
	// The kernel takes a namespace apart when it finds the time; a node of the same name may start sooner.
	if err := netns.IP(l.plan.namespace(fabric), unplugScript(n)); err != nil {
		return err
	}
	for _, link := range l.state.WAN {
		if link.Node != n.Name {
			continue
		}
		if err := unplugWAN(link); err != nil {
			return err
		}
	}
	return netns.Delete(n.Namespace)
}

// StartNode boots a node that StopNode stopped. It returns when the node's container runtime answers; the kubelet follows.
func (l *Lab) StartNode(ctx context.Context, name string) error {
	n, err := l.plan.node(name)
	if err != nil {
		return err
	}
	if _, alive := l.running(n.Namespace, nodeProcess(n)); alive {
		return fmt.Errorf("node %q is running", name)
	}
	if err := plugNode(l.plan, n); err != nil {
		return err
	}
	if err := l.plugNodeIntoWAN(n); err != nil {
		return err
	}
	if err := l.startNode(n); err != nil {
		return err
	}
	return l.waitForRuntime(ctx, n)
}

// StopAPI kills the API server. etcd, controllers, scheduler and nodes live on and find it away.
func (l *Lab) StopAPI() error {
	deadline := time.Now().Add(patience.Of(endWithin))
	for {
		pid, alive := l.running(l.plan.namespace(controlPlane), apiServer)
		if !alive {
			return nil
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end the API server, process %d: %w", pid, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("end the API server: process %d is still there", pid)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// StartAPI starts the API server that StopAPI killed, and returns when it is ready.
func (l *Lab) StartAPI(ctx context.Context) error { return l.startAPI(ctx) }
