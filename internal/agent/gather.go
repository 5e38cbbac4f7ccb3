package agent

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// view is all that is known of one attachment on the node.
type view struct {
	// attachment is nil where the node has none of the name.
	attachment *v1alpha1.L2Attachment
	// pod is what the attachment names, nil where the node has no such pod.
	pod *corev1.Pod
	// ports are those of the attachment's logical port, of any life.
	ports []ovs.Port
	// device says whether the port's device is there. A sandbox takes it along
	// when it goes, and not every datapath tells.
	device bool
	// sandbox is the pod's ready one. It is asked for only where it matters:
	// see wantsSandbox.
	sandbox *place
	// grants are what the attachment needs.
	grants grants
}

// place is a sandbox that an interface can be put into.
type place struct {
	container, netns string
	// end is the interface's host end, nil where it is not made.
	end *link.HostEnd
}

// gather reads the caches, and Open vSwitch's.
func (w *watcher) gather(ctx context.Context, key types.NamespacedName) (view, error) {
	v := view{grants: w.grants}
	ports, err := w.ovs.Ports(ctx)
	if err != nil {
		return v, err
	}
	for _, p := range ports {
		if of, ok := attachmentKey(p.LogicalPort); ok && of == key {
			v.ports = append(v.ports, p)
		}
	}
	v.attachment = w.node.Attachment(key)
	if v.attachment == nil || !v.attachment.DeletionTimestamp.IsZero() {
		v.attachment = nil
		return v, nil
	}
	if port := v.port(); port != nil {
		end, err := w.links.Get(port.Name)
		if err != nil {
			return v, err
		}
		v.device = end != nil
	}
	v.pod = w.node.Pod(types.NamespacedName{Namespace: key.Namespace, Name: v.attachment.Spec.PodName})
	return v, nil
}

// networkOf is the network that the attachment's port is on, and before it has
// one, is to be on.
func networkOf(a *v1alpha1.L2Attachment) types.NamespacedName {
	if on, has := a.PortNetwork(); has {
		return on
	}
	return a.NetworkKey()
}

// wantsSandbox says whether the attachment may be missing from its pod. A port
// in good order is proof that it is not.
func (v *view) wantsSandbox() bool {
	if v.attachment == nil || v.pod == nil || !takesInterfaces(v.pod) || !v.grants.pluggable(v.attachment, v.pod) {
		return false
	}
	port := v.port()
	return port == nil || port.State.Error != "" || !v.device
}

// lost says whether the attachment's port has lost its device.
func (v *view) lost() bool { return v.port() != nil && !v.device }

// port is the attachment's in the life of the pod that it is bound to.
func (v *view) port() *ovs.Port {
	for i, p := range v.ports {
		if p.Attachment == string(v.attachment.UID) && p.Sandbox.PodUID == string(v.attachment.Spec.PodUID) {
			return &v.ports[i]
		}
	}
	return nil
}

// takesInterfaces says whether the pod runs, or is to run, in a network
// namespace of its own.
func takesInterfaces(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp.IsZero() && !attach.Ended(pod) && !pod.Spec.HostNetwork
}

// ready asks the runtime for the pod's ready sandbox. It returns nil where
// there is none: it is being made, and an ADD may be under way, or it is being
// torn down.
func (w *watcher) ready(ctx context.Context, pod *corev1.Pod) (*cri.Sandbox, error) {
	sandboxes, err := w.cri.SandboxesOf(ctx, sandboxUID(pod))
	if err != nil {
		return nil, err
	}
	spared := func(container string) bool { return w.torn.has(container) || w.early.waiting.has(container) }
	return newestReady(pod, sandboxes, spared), nil
}

// place is where the attachment can be plugged in, or nil.
func (w *watcher) place(ctx context.Context, v view) (*place, error) {
	ready, err := w.ready(ctx, v.pod)
	if err != nil || ready == nil {
		return nil, err
	}
	netns, err := w.cri.Netns(ctx, ready.ID)
	if err != nil || netns == "" {
		return nil, err
	}
	end, err := w.links.Get(link.HostName(ready.ID, v.attachment.Spec.Interface))
	if err != nil {
		return nil, err
	}
	return &place{container: ready.ID, netns: netns, end: end}, nil
}

// newestReady is the pod's ready sandbox, or nil, without those that are spared:
// runtimes report one ready while they tear it down, and while its containers wait
// for their interfaces.
func newestReady(pod *corev1.Pod, sandboxes []cri.Sandbox, spared func(container string) bool) *cri.Sandbox {
	var newest *cri.Sandbox
	for i, s := range sandboxes {
		if s.Ready && isOf(s, pod) && !spared(s.ID) && (newest == nil || s.Created.After(newest.Created)) {
			newest = &sandboxes[i]
		}
	}
	return newest
}
