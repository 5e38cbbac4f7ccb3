package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/loop"
	"l2sm.io/l2sm/internal/ovs"
)

// sweeper removes what sandboxes that are gone have left on the node, where no
// DEL did: Multus sends none for what was plugged into a running pod, and a
// runtime none for what it has forgotten. It looks at start, when a pod goes,
// and when Open vSwitch's database is there again. Where the runtime can't be
// asked it tries again until it can.
//
// Of a pod that changes it looks at that pod's ports alone: its sandbox may be
// another one, and the old network namespace may live on.
type sweeper struct {
	*Agent
	loop  *loop.Loop[string]
	byPod *loop.Loop[types.NamespacedName]
}

// theNode is the only key: there is one node to sweep.
const theNode = "node"

func newSweeper(a *Agent) *sweeper {
	s := &sweeper{Agent: a}
	s.loop = loop.New(a.log.WithName("sweep"), func(ctx context.Context, _ string) (time.Duration, error) { return 0, s.sweep(ctx) })
	s.byPod = loop.New(a.log.WithName("sandboxes"), func(ctx context.Context, pod types.NamespacedName) (time.Duration, error) {
		return 0, s.sweepPod(ctx, pod)
	})
	return s
}

// podChanged has the node swept when a pod goes or ends, and the pod's ports
// looked at when it changes.
func (s *sweeper) podChanged(before, after *corev1.Pod) {
	switch {
	case after == nil || before != nil && !attach.Ended(before) && attach.Ended(after):
		s.loop.Add(theNode)
	case before != nil:
		s.byPod.Add(keyOf(after))
	}
}

// run works until ctx ends; it sweeps once for each connection to OVS'
// database.
func (s *sweeper) run(ctx context.Context) error {
	go s.eachSession(ctx, func(context.Context) { s.loop.Add(theNode) })
	go s.byPod.Run(ctx, 1)
	s.loop.Run(ctx, 1)
	return nil
}

// sweepPod asks the runtime about a pod only that has ports.
func (s *sweeper) sweepPod(ctx context.Context, key types.NamespacedName) error {
	pod := s.node.Pod(key)
	ports, err := s.ovs.Ports(ctx)
	if pod == nil || errors.Is(err, ovs.ErrNotConnected) {
		return nil // the whole node is swept then
	}
	if err != nil {
		return err
	}
	ports = slices.DeleteFunc(ports, func(p ovs.Port) bool { return p.Sandbox.PodUID != string(pod.UID) })
	if len(ports) == 0 {
		return nil
	}
	sandboxes, err := s.cri.SandboxesOf(ctx, sandboxUID(pod))
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range ports {
		if isLeft(p, pod, sandboxes) {
			errs = append(errs, s.sweepPort(ctx, p))
		}
	}
	return errors.Join(errs...)
}

func (s *sweeper) sweep(ctx context.Context) error {
	// The node first: what is made after it was looked at is not judged, and
	// what was plugged into a ready sandbox finds that sandbox listed.
	ends, err := s.links.List()
	if err != nil {
		return err
	}
	ports, err := s.ovs.Ports(ctx)
	if errors.Is(err, ovs.ErrNotConnected) {
		return nil // the next connection has it swept
	}
	if err != nil {
		return err
	}
	sandboxes, err := s.cri.Sandboxes(ctx)
	if err != nil {
		return err
	}
	s.torn.forget(func(container string) bool { return listed(sandboxes, container) != nil })

	var errs []error
	for _, p := range suspects(ports, sandboxes) {
		errs = append(errs, s.sweepPort(ctx, p))
	}
	for _, end := range leftEnds(ends, ports, sandboxes) {
		errs = append(errs, s.sweepEnd(ctx, end))
	}
	for _, sandbox := range sandboxes {
		if sandbox.Ready {
			errs = append(errs, s.sweepSandbox(ctx, sandbox, ends))
		}
	}
	return errors.Join(errs...)
}

// sweepPort takes the pod's lock for what looks like left only: an ADD may
// hold it for long.
func (s *sweeper) sweepPort(ctx context.Context, p ovs.Port) error {
	if left, err := s.left(ctx, p); err != nil || !left {
		return err
	}
	unlock, err := s.pods.acquire(ctx, s.lifeIn(p.Sandbox))
	if err != nil {
		return fmt.Errorf("wait for a call for the pod: %w", err)
	}
	defer unlock()
	// Now no ADD is under way, and no hot attachment.
	if left, err := s.left(ctx, p); err != nil || !left {
		return err
	}
	if err := s.unplug(ctx, []string{p.Name}); err != nil {
		return fmt.Errorf("sweep port %q: %w", p.Name, err)
	}
	swept.WithLabelValues("port").Inc()
	logr.FromContextOrDiscard(ctx).Info("Swept an interface of a sandbox that is gone", "port", p.Name, "interface", p.Interface,
		"Pod", p.Sandbox.PodNamespace+"/"+p.Sandbox.PodName, "container", p.Sandbox.Container)
	return nil
}

// left says whether the port is still there, and left.
func (s *sweeper) left(ctx context.Context, p ovs.Port) (bool, error) {
	ports, err := s.ovs.Ports(ctx)
	if err != nil {
		return false, err
	}
	if is := portNamed(ports, p.Name); is == nil || is.Sandbox != p.Sandbox {
		return false, nil
	}
	pod, err := s.live.Pod(ctx, types.NamespacedName{Namespace: p.Sandbox.PodNamespace, Name: p.Sandbox.PodName})
	if err != nil {
		return false, err
	}
	uid := p.Sandbox.PodUID
	if pod != nil {
		uid = sandboxUID(pod)
	}
	sandboxes, err := s.cri.SandboxesOf(ctx, uid)
	if err != nil {
		return false, err
	}
	return isLeft(p, pod, sandboxes), nil
}

// sweepEnd keeps calls for the container out while it looks again: an ADD that
// has come to its end meanwhile has made a port.
func (s *sweeper) sweepEnd(ctx context.Context, end link.HostEnd) error {
	return s.underWay.without(end.In, func() error {
		ports, err := s.ovs.Ports(ctx)
		if err != nil || portNamed(ports, end.Name) != nil {
			return err
		}
		return s.deleteEnd(ctx, end)
	})
}

// sweepSandbox removes what an agent that died has left in a pod that runs: an
// interface without a port, of an attachment that went before the next agent
// could finish the work.
func (s *sweeper) sweepSandbox(ctx context.Context, sandbox cri.Sandbox, ends []link.HostEnd) error {
	if left, err := s.orphans(ctx, sandbox, ends); err != nil || len(left) == 0 {
		return err
	}
	unlock, err := s.pods.acquire(ctx, s.life(types.NamespacedName{Namespace: sandbox.PodNamespace, Name: sandbox.PodName}, sandbox.PodUID))
	if err != nil {
		return fmt.Errorf("wait for a call for the pod: %w", err)
	}
	defer unlock()
	left, err := s.orphans(ctx, sandbox, ends)
	errs := []error{err}
	for _, end := range left {
		errs = append(errs, s.deleteEnd(ctx, end))
	}
	return errors.Join(errs...)
}

func (s *sweeper) orphans(ctx context.Context, sandbox cri.Sandbox, ends []link.HostEnd) ([]link.HostEnd, error) {
	ports, err := s.ovs.Ports(ctx)
	if err != nil {
		return nil, err
	}
	pod := types.NamespacedName{Namespace: sandbox.PodNamespace, Name: sandbox.PodName}
	return orphans(sandbox, s.node.Pod(pod), ends, ports, s.node.AttachmentsOf(pod)), nil
}

func (s *sweeper) deleteEnd(ctx context.Context, end link.HostEnd) error {
	if err := s.links.Delete(end.Name); err != nil {
		return fmt.Errorf("sweep link: %w", err)
	}
	swept.WithLabelValues("link").Inc()
	logr.FromContextOrDiscard(ctx).Info("Swept a link without a port", "link", end.Name, "container", end.Owner.Container)
	return nil
}

// orphans are host ends in the sandbox that have no port, and no attachment of
// the pod that would give them one.
func orphans(sandbox cri.Sandbox, pod *corev1.Pod, ends []link.HostEnd, ports []ovs.Port, attachments []*v1alpha1.L2Attachment) []link.HostEnd {
	uid := types.UID(sandbox.PodUID)
	if isOf(sandbox, pod) {
		uid = pod.UID
	}
	claimed := map[string]bool{}
	for _, a := range attachments {
		if a.Spec.PodUID == uid && !refusedPort(a) {
			claimed[link.HostName(sandbox.ID, a.Spec.Interface)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(ends), func(end link.HostEnd) bool {
		return !end.In(sandbox.ID) || claimed[end.Name] || portNamed(ports, end.Name) != nil
	})
}

// suspects are ports in sandboxes that are not ready.
func suspects(ports []ovs.Port, sandboxes []cri.Sandbox) []ovs.Port {
	return slices.DeleteFunc(slices.Clone(ports), func(p ovs.Port) bool {
		in := listed(sandboxes, p.Sandbox.Container)
		return in != nil && in.Ready
	})
}

// isLeft says whether the port is not needed any more: its sandbox is not
// ready, and its pod, live, has ended, is gone, or has another sandbox. Until
// its pod is, a sandbox that the runtime does not list may be one that is being
// made: containerd 1.6 lists it only then.
func isLeft(p ovs.Port, pod *corev1.Pod, sandboxes []cri.Sandbox) bool {
	if in := listed(sandboxes, p.Sandbox.Container); in != nil && in.Ready {
		return false
	}
	if pod == nil || string(pod.UID) != p.Sandbox.PodUID || attach.Ended(pod) {
		return true
	}
	return slices.ContainsFunc(sandboxes, func(other cri.Sandbox) bool { return other.Ready && isOf(other, pod) })
}

// leftEnds are host ends without a port, in containers that the runtime does
// not list.
func leftEnds(ends []link.HostEnd, ports []ovs.Port, sandboxes []cri.Sandbox) []link.HostEnd {
	return slices.DeleteFunc(slices.Clone(ends), func(end link.HostEnd) bool {
		isListed := slices.ContainsFunc(sandboxes, func(s cri.Sandbox) bool { return end.In(s.ID) })
		return isListed || portNamed(ports, end.Name) != nil
	})
}

func listed(sandboxes []cri.Sandbox, container string) *cri.Sandbox {
	i := slices.IndexFunc(sandboxes, func(s cri.Sandbox) bool { return s.ID == container })
	if i < 0 {
		return nil
	}
	return &sandboxes[i]
}
