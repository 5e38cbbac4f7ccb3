// Package nri has the container runtime tell of pods' sandboxes before their
// containers start, over the Node Resource Interface of containerd 2 and CRI-O
// (https://github.com/containerd/nri, which all of this is by):
//
//	runtime -> RunPodSandbox    a sandbox and its network namespace are there
//	        -> CreateContainer  a container of it is about to be made
//	        -> StopPodSandbox   its containers are stopped
//
// The runtime waits for every answer, one by one, for the whole node, and drops a
// plugin that takes longer than it gives, two seconds by default: the pods after
// it start as if there was none. So each call has its answer in time, whatever
// became of the work, and no panic ends the plugin.
package nri

import (
	"context"
	"fmt"

	"github.com/containerd/nri/pkg/api"
)

// Socket is where runtimes listen for plugins unless configured otherwise.
const Socket = "/run/nri/nri.sock"

// Sandbox is one life of a pod's sandbox, as the runtime knows it: what it says of
// the pod is the kubelet's, but for the annotations, which are a user's.
type Sandbox struct {
	// ID is what CNI calls CNI_CONTAINERID.
	ID string
	// PodNamespace, PodName and PodUID are the pod's.
	PodNamespace, PodName, PodUID string
	// Annotations are the pod's when the sandbox was made.
	Annotations map[string]string
	// Netns is the path of the network namespace: empty for a sandbox on the
	// node's own network, and where it is gone.
	Netns string
}

func sandboxOf(pod *api.PodSandbox) Sandbox {
	s := Sandbox{
		ID: pod.GetId(), PodNamespace: pod.GetNamespace(), PodName: pod.GetName(), PodUID: pod.GetUid(),
		Annotations: pod.GetAnnotations(),
	}
	for _, ns := range pod.GetLinux().GetNamespaces() {
		if ns.GetType() == "network" {
			s.Netns = ns.GetPath()
		}
	}
	return s
}

// Handler is who is told. Its calls' contexts end before the runtime's patience
// does, and are canceled where the connection is lost.
type Handler interface {
	// Connected is called for each connection, before any other call of it, with
	// the sandboxes that no container was made in yet.
	Connected(ctx context.Context, bare []Sandbox)
	// Lost says that the runtime calls no more, until Connected.
	Lost(err error)
	// Started says that a sandbox is there, and none of its containers. An error
	// can't be returned: containerd 2.3 leaves the sandbox's process behind then.
	Started(ctx context.Context, s Sandbox)
	// Admit says whether a container of the sandbox may be made. After an error
	// the kubelet tries again, with its back-off.
	Admit(ctx context.Context, s Sandbox) error
	// Stopped says that the sandbox is being torn down.
	Stopped(ctx context.Context, s Sandbox)
}

// plugin is what the stub calls, for one connection.
type plugin struct {
	handler Handler
	// configured is closed when the runtime has accepted the plugin.
	configured chan struct{}
}

// Configure is called once. All that the plugin can take it wants to be told.
func (p *plugin) Configure(context.Context, string, string, string) (api.EventMask, error) {
	close(p.configured)
	return 0, nil
}

// Synchronize is called once, when nothing else is under way on the node: a runtime
// that stops a container makes new plugins wait until it has.
func (p *plugin) Synchronize(ctx context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	used := map[string]bool{}
	for _, c := range containers {
		used[c.GetPodSandboxId()] = true
	}
	var bare []Sandbox
	for _, pod := range pods {
		if !used[pod.GetId()] {
			bare = append(bare, sandboxOf(pod))
		}
	}
	return nil, within(ctx, func(ctx context.Context) error {
		p.handler.Connected(ctx, bare)
		return nil
	})
}

// RunPodSandbox is of the stub's RunPodInterface.
func (p *plugin) RunPodSandbox(ctx context.Context, pod *api.PodSandbox) error {
	_ = within(ctx, func(ctx context.Context) error {
		p.handler.Started(ctx, sandboxOf(pod))
		return nil
	})
	return nil // what is missing, CreateContainer says
}

// CreateContainer is of the stub's CreateContainerInterface.
func (p *plugin) CreateContainer(ctx context.Context, pod *api.PodSandbox, _ *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	err := within(ctx, func(ctx context.Context) error { return p.handler.Admit(ctx, sandboxOf(pod)) })
	if err != nil {
		return nil, nil, fmt.Errorf("l2sm: %w", err)
	}
	return nil, nil, nil
}

// StopPodSandbox is of the stub's StopPodInterface. What could not be removed the
// node's sweep removes.
func (p *plugin) StopPodSandbox(ctx context.Context, pod *api.PodSandbox) error {
	_ = within(ctx, func(ctx context.Context) error {
		p.handler.Stopped(ctx, sandboxOf(pod))
		return nil
	})
	return nil
}
