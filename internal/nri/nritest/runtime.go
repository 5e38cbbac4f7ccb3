// Package nritest is a container runtime's side of NRI for tests: the library that
// containerd and CRI-O are made with, and a list of sandboxes in place of theirs.
package nritest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/containerd/nri/pkg/adaptation"
	nrilog "github.com/containerd/nri/pkg/log"

	"l2sm.io/l2sm/internal/nri"
)

// Runtime calls the plugins that connect to it.
type Runtime struct {
	t      testing.TB
	socket string

	// calls is the lock that containerd holds for each call (internal/nri/nri.go,
	// local): one at a time, for the whole node.
	calls      sync.Mutex
	adaptation *adaptation.Adaptation
	door       *door

	mu      sync.Mutex
	pods    []*adaptation.PodSandbox
	used    []*adaptation.Container
	plugins int
}

// Start starts a runtime without sandboxes that listens in the folder. It ends with
// the test.
func Start(t testing.TB, folder string) *Runtime {
	t.Helper()
	r := &Runtime{t: t, socket: filepath.Join(folder, "nri.sock")}
	r.Serve()
	t.Cleanup(r.Stop)
	return r
}

// Socket is where it listens.
func (r *Runtime) Socket() string { return r.socket }

// Serve starts it, also after Stop, with the sandboxes that it had.
func (r *Runtime) Serve() {
	r.t.Helper()
	nrilog.Set(discard{})
	behind := r.socket + ".library"
	a, err := adaptation.New("nritest", "v2.0.0", r.synchronize, refuseUpdates,
		adaptation.WithSocketPath(behind), adaptation.WithPluginPath(filepath.Join(filepath.Dir(r.socket), "none")), adaptation.WithPluginConfigPath(""), adaptation.WithMetrics(counter{r}))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		r.t.Fatal(err)
	}
	d, err := openDoor(r.socket, behind)
	if err != nil {
		r.t.Fatal(err)
	}
	r.calls.Lock()
	defer r.calls.Unlock()
	r.adaptation, r.door = a, d
}

// Stop ends it, with its connections.
func (r *Runtime) Stop() {
	r.calls.Lock()
	defer r.calls.Unlock()
	r.door.close()
	r.adaptation.Stop()
	counter{r}.UpdatePluginCount(0)
}

// Cut ends the connections, also while a call is under way, and takes no more.
func (r *Runtime) Cut() { r.door.close() }

// Plugins counts those that are called.
func (r *Runtime) Plugins() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plugins
}

// Run is RunPodSandbox: what containerd does when a sandbox's network is made.
func (r *Runtime) Run(s nri.Sandbox) error {
	pod := podOf(s)
	err := r.call(func(ctx context.Context, a *adaptation.Adaptation) error {
		return a.RunPodSandbox(ctx, &adaptation.RunPodSandboxRequest{Pod: pod})
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods = append(r.pods, pod)
	return err
}

// Create is CreateContainer.
func (r *Runtime) Create(s nri.Sandbox) error {
	c := &adaptation.Container{Id: "container-of-" + s.ID, PodSandboxId: s.ID, Name: "c"}
	err := r.call(func(ctx context.Context, a *adaptation.Adaptation) error {
		_, err := a.CreateContainer(ctx, &adaptation.CreateContainerRequest{Pod: podOf(s), Container: c})
		return err
	})
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.used = append(r.used, c)
	}
	return err
}

// Remove is StopPodSandbox, after which the sandbox is gone.
func (r *Runtime) Remove(s nri.Sandbox) error {
	r.mu.Lock()
	r.pods = slices.DeleteFunc(r.pods, func(p *adaptation.PodSandbox) bool { return p.GetId() == s.ID })
	r.mu.Unlock()
	return r.call(func(ctx context.Context, a *adaptation.Adaptation) error {
		return a.StopPodSandbox(ctx, &adaptation.StopPodSandboxRequest{Pod: podOf(s)})
	})
}

func (r *Runtime) call(f func(context.Context, *adaptation.Adaptation) error) error {
	r.calls.Lock()
	defer r.calls.Unlock()
	defer r.adaptation.BlockPluginSync().Unblock()
	return f(r.t.Context(), r.adaptation)
}

func (r *Runtime) synchronize(ctx context.Context, tell adaptation.SyncCB) error {
	r.mu.Lock()
	pods, used := slices.Clone(r.pods), slices.Clone(r.used)
	r.mu.Unlock()
	_, err := tell(ctx, pods, used)
	return err
}

// counter takes the number of plugins of the library's metrics.
type counter struct{ *Runtime }

func (c counter) UpdatePluginCount(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugins = n
}

func (counter) RecordPluginInvocation(string, string, error)                                      {}
func (counter) RecordPluginLatency(string, string, time.Duration)                                 {}
func (counter) RecordPluginAdjustments(string, string, *adaptation.ContainerAdjustment, int, int) {}

func refuseUpdates(context.Context, []*adaptation.ContainerUpdate) ([]*adaptation.ContainerUpdate, error) {
	return nil, fmt.Errorf("the plugin has no containers to update")
}

func podOf(s nri.Sandbox) *adaptation.PodSandbox {
	pod := &adaptation.PodSandbox{
		Id: s.ID, Namespace: s.PodNamespace, Name: s.PodName, Uid: s.PodUID, Annotations: s.Annotations,
		Linux: &adaptation.LinuxPodSandbox{Namespaces: []*adaptation.LinuxNamespace{{Type: "pid"}}},
	}
	if s.Netns != "" {
		pod.Linux.Namespaces = append(pod.Linux.Namespaces, &adaptation.LinuxNamespace{Type: "network", Path: s.Netns})
	}
	return pod
}

// discard takes the library's log.
type discard struct{}

func (discard) Debugf(context.Context, string, ...any) {}
func (discard) Infof(context.Context, string, ...any)  {}
func (discard) Warnf(context.Context, string, ...any)  {}
func (discard) Errorf(context.Context, string, ...any) {}
