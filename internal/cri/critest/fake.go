// Package critest is a fake container runtime for tests: it lists what they
// tell it. The real ones are met in the lab's scenarios.
package critest

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"l2sm.io/l2sm/internal/cri"
)

// Fake serves the part of RuntimeService that internal/cri calls.
type Fake struct {
	runtimeapi.UnimplementedRuntimeServiceServer
	t      testing.TB
	socket string

	mu        sync.Mutex
	server    *grpc.Server
	sandboxes []sandbox
	lists     int
}

type sandbox struct {
	cri.Sandbox
	netns string
}

// Start starts a runtime without sandboxes. It ends with the test.
func Start(t testing.TB) *Fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "cri") // short: Unix sockets take 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	f := &Fake{t: t, socket: filepath.Join(dir, "cri.sock")}
	f.Serve()
	t.Cleanup(func() {
		f.Stop()
		_ = os.RemoveAll(dir)
	})
	return f
}

// Socket is where it listens.
func (f *Fake) Socket() string { return f.socket }

// Serve starts it again after Stop, with the sandboxes that it had.
func (f *Fake) Serve() {
	f.t.Helper()
	listener, err := net.Listen("unix", f.socket)
	if err != nil {
		f.t.Fatal(err)
	}
	server := grpc.NewServer()
	runtimeapi.RegisterRuntimeServiceServer(server, f)
	f.mu.Lock()
	f.server = server
	f.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // it returns when it is stopped
}

// Stop ends it: calls fail until Serve.
func (f *Fake) Stop() {
	f.mu.Lock()
	server := f.server
	f.mu.Unlock()
	server.Stop()
}

// Put adds a sandbox, or replaces the one of its ID.
func (f *Fake) Put(s cri.Sandbox, netns string) {
	f.Remove(s.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sandboxes = append(f.sandboxes, sandbox{s, netns})
}

// Remove removes a sandbox.
func (f *Fake) Remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sandboxes = slices.DeleteFunc(f.sandboxes, func(s sandbox) bool { return s.ID == id })
}

// Lists counts the calls of ListPodSandbox.
func (f *Fake) Lists() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists
}

// ListPodSandbox is of RuntimeService.
func (f *Fake) ListPodSandbox(_ context.Context, r *runtimeapi.ListPodSandboxRequest) (*runtimeapi.ListPodSandboxResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	response := &runtimeapi.ListPodSandboxResponse{}
	for _, s := range f.sandboxes {
		state := runtimeapi.PodSandboxState_SANDBOX_NOTREADY
		if s.Ready {
			state = runtimeapi.PodSandboxState_SANDBOX_READY
		}
		labels := map[string]string{"io.kubernetes.pod.uid": s.PodUID}
		if !matches(labels, r.GetFilter().GetLabelSelector()) {
			continue
		}
		response.Items = append(response.Items, &runtimeapi.PodSandbox{
			Id: s.ID, State: state, CreatedAt: s.Created.UnixNano(), Labels: labels,
			Metadata: &runtimeapi.PodSandboxMetadata{Name: s.PodName, Namespace: s.PodNamespace, Uid: s.PodUID, Attempt: s.Attempt},
		})
	}
	return response, nil
}

func matches(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// PodSandboxStatus is of RuntimeService.
func (f *Fake) PodSandboxStatus(_ context.Context, r *runtimeapi.PodSandboxStatusRequest) (*runtimeapi.PodSandboxStatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.sandboxes, func(s sandbox) bool { return s.ID == r.GetPodSandboxId() })
	if i < 0 {
		return nil, status.Errorf(codes.NotFound, "no sandbox %q", r.GetPodSandboxId())
	}
	response := &runtimeapi.PodSandboxStatusResponse{}
	if r.GetVerbose() {
		info, err := json.Marshal(map[string]any{"runtimeSpec": map[string]any{"linux": map[string]any{
			"namespaces": []map[string]string{{"type": "pid"}, {"type": "network", "path": f.sandboxes[i].netns}},
		}}})
		if err != nil {
			return nil, err
		}
		response.Info = map[string]string{"info": string(info)}
	}
	return response, nil
}
