package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/nri"
	"l2sm.io/l2sm/internal/ovs"
)

// flowsTimeout is how long a starting pod waits here for its flows. All other
// starts on the node wait with it.
const flowsTimeout = 500 * time.Millisecond

var errSlowFlows = errors.New("they are not there yet")

// attachNow wires what the pod asks for, and what users have attached to it, as an
// ADD does that has nothing to wait for. Its error says what is missing.
func (a *Agent) attachNow(ctx context.Context, s nri.Sandbox) error {
	stages := enter()
	if err := a.ovs.Ready(ctx); err != nil {
		return err
	}
	key := types.NamespacedName{Namespace: s.PodNamespace, Name: s.PodName}
	pod := a.node.Pod(key)
	if pod == nil || sandboxUID(pod) != s.PodUID {
		return fmt.Errorf("pod %q with UID %s is not known to l2sm-agent yet", key, s.PodUID)
	}
	if !takesInterfaces(pod) {
		return nil
	}
	call := &cni.Call{
		Command: cni.Add, Container: s.ID, Netns: s.Netns, IfName: link.EarlyConfig,
		Pod: cni.Pod{Namespace: s.PodNamespace, Name: s.PodName, UID: s.PodUID}, Config: cni.Config{Name: link.EarlyConfig},
	}
	wires, err := a.wires(call, pod)
	if err != nil {
		return err
	}
	stages.reach(stageAttachments)
	return a.plugNow(ctx, sandboxOf(call, pod), wires, stages)
}

// plugNow plugs those of the wires that are not plugged, under the pod's lock. It
// waits for their flows, but not for long: the settler sees those that come later.
func (a *Agent) plugNow(ctx context.Context, s ovs.Sandbox, wires []wire, stages *stages) error {
	unlock, err := a.pods.acquire(ctx, a.lifeIn(s))
	if err != nil {
		return fmt.Errorf("wait for another call for the pod: %w", err)
	}
	defer unlock()
	ports, err := a.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	wires = lacking(wires, ports)
	if len(wires) == 0 {
		return nil
	}
	if err := a.plugBeside(ctx, s, wires, func(ovs.Port) bool { return false }); err != nil {
		return err
	}
	stages.reach(stagePlugged)

	log := logr.FromContextOrDiscard(ctx)
	wait, cancel := context.WithTimeoutCause(ctx, flowsTimeout, errSlowFlows)
	defer cancel()
	err = a.ovs.WaitInstalled(wait, portNames(wirePorts(wires))...)
	switch {
	case errors.Is(err, errSlowFlows):
		log.Info("Pod starts before its flows are installed", "error", err.Error())
	case err != nil:
		return errors.Join(err, a.undo(ctx, wires))
	default:
		stages.reach(stageInstalled)
	}
	if err := a.steerSeveral(ctx, s); err != nil {
		return errors.Join(err, a.undo(ctx, wires))
	}
	stages.reach(stageReturned)
	log.Info("Interfaces added", append(stages.values(), "interfaces", wireNames(wires))...)
	return nil
}

// lacking are the wires without a port in good order.
func lacking(wires []wire, ports []ovs.Port) []wire {
	return slices.DeleteFunc(slices.Clone(wires), func(w wire) bool {
		port := portNamed(ports, w.port.Name)
		return port != nil && port.Attachment == w.port.Attachment && port.State.Error == ""
	})
}
