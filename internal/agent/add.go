package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// installTimeout is how long an ADD waits for ovn-controller.
const installTimeout = 20 * time.Second

// add wires what the call asks for and returns its interfaces. When it fails,
// or when the caller gives up, nothing is left.
func (a *Agent) add(ctx context.Context, call *cni.Call) (*types100.Result, error) {
	stages := enter()
	if err := a.ovs.Ready(ctx); err != nil {
		return nil, err
	}
	pod, err := a.pod(ctx, call.Pod)
	if err != nil {
		return nil, err
	}
	// Not under the lock: a DEL of the pod need not wait for a network.
	wires, err := a.awaitWires(ctx, call, pod)
	if err != nil {
		return nil, err
	}
	stages.reach(stageAttachments)

	if err := a.attach(ctx, sandboxOf(call, pod), wires, stages); err != nil {
		return nil, errors.Join(err, a.refusals(wires))
	}
	go announce(context.WithoutCancel(ctx), wires)
	result := resultOf(wires)
	stages.reach(stageReturned)
	logr.FromContextOrDiscard(ctx).Info("Interfaces added", append(stages.values(), "interfaces", wireNames(wires))...)
	return result, nil
}

// attach plugs the wires under the pod's lock, and returns when their flows
// are installed.
func (a *Agent) attach(ctx context.Context, s ovs.Sandbox, wires []wire, stages *stages) error {
	unlock, err := a.pods.acquire(ctx, a.lifeIn(s))
	if err != nil {
		return fmt.Errorf("wait for another call for the pod: %w", err)
	}
	defer unlock()
	a.torn.drop(s.Container)
	if err := a.plug(ctx, s, wires); err != nil {
		return err
	}
	stages.reach(stagePlugged)

	wait, cancel := context.WithTimeout(ctx, a.timeouts.install)
	defer cancel()
	if err := a.ovs.WaitInstalled(wait, portNames(wirePorts(wires))...); err != nil {
		return errors.Join(err, a.undo(ctx, wires))
	}
	stages.reach(stageInstalled)
	if err := a.steerSeveral(ctx, s); err != nil {
		return errors.Join(err, a.undo(ctx, wires))
	}
	return nil
}

// refusals says, of wires whose flows did not come, for which of them the
// controller has no port, and why.
func (a *Agent) refusals(wires []wire) error {
	var errs []error
	for _, w := range wires {
		key, _ := attachmentKey(w.port.LogicalPort)
		attachment := a.node.Attachment(key)
		if attachment == nil {
			continue
		}
		if why := refused(attachment); why != "" {
			errs = append(errs, fmt.Errorf("network %q: %s", attachment.NetworkKey(), why))
		}
	}
	return errors.Join(errs...)
}

// sandboxOf is the call's sandbox. The pod's UID is the API server's, which the
// pod's attachments name: a static pod's sandbox has another.
func sandboxOf(call *cni.Call, pod *corev1.Pod) ovs.Sandbox {
	return ovs.Sandbox{
		Container:    call.Container,
		IfName:       call.IfName,
		Config:       call.Config.Name,
		Netns:        call.Netns,
		PodNamespace: call.Pod.Namespace,
		PodName:      call.Pod.Name,
		PodUID:       string(pod.UID),
	}
}

// resultOf is what the runtime is told: the pods' ends only, since status that
// Multus writes on the pod lists every interface of a result.
func resultOf(wires []wire) *types100.Result {
	result := &types100.Result{CNIVersion: types100.ImplementedSpecVersion}
	for i, w := range wires {
		result.Interfaces = append(result.Interfaces, &types100.Interface{
			Name: w.inner.Name, Mac: w.port.MAC, Mtu: w.inner.MTU, Sandbox: w.port.Sandbox.Netns,
		})
		for _, p := range w.inner.Addresses {
			result.IPs = append(result.IPs, &types100.IPConfig{
				Interface: types100.Int(i),
				Address:   net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
			})
		}
	}
	return result
}

// announce tells neighbours of the wires' addresses. The pod need not wait:
// only a neighbour that knew the address's last holder has to learn.
func announce(ctx context.Context, wires []wire) {
	for _, w := range wires {
		if err := link.Announce(w.port.Sandbox.Netns, w.inner); err != nil {
			logr.FromContextOrDiscard(ctx).Info("Could not announce an interface", "interface", w.inner.Name, "error", err.Error())
		}
	}
}

func wireNames(wires []wire) []string {
	var names []string
	for _, w := range wires {
		names = append(names, w.inner.Name)
	}
	return names
}
