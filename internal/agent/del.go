package agent

import (
	"context"
	"errors"
	"fmt"

	cnitypes "github.com/containernetworking/cni/pkg/types"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// del removes what the ADD of this container and CNI_IFNAME made, and what was
// plugged into the container since: nothing else tells that it is torn down. Without
// Open vSwitch it removes the links, and the sweep the ports.
func (a *Agent) del(ctx context.Context, call *cni.Call) error {
	a.torn.add(call.Container)
	life := ""
	if call.Pod.Name != "" {
		life = a.life(types.NamespacedName{Namespace: call.Pod.Namespace, Name: call.Pod.Name}, call.Pod.UID)
	}
	err := a.release(ctx, life, call.Container, func(made link.Owner) bool { return made.EndsWith(call.IfName) })
	if errors.Is(err, ovs.ErrNotConnected) || errors.Is(err, ovs.ErrNoBridge) {
		// The sandbox must go all the same, also where Open vSwitch never comes back.
		return a.links.Release(call.Container, call.IfName)
	}
	return err
}

// release removes from a container of one life of a pod, or of one that OVS knows
// where that is empty, what was made by whom it says. It asks OVS and the kernel what there
// is, so it does not matter whether the pod, its attachments or its network
// namespace still exist.
func (a *Agent) release(ctx context.Context, life, container string, by func(link.Owner) bool) error {
	if life == "" {
		ports, err := a.ovs.Ports(ctx)
		if err != nil {
			return err
		}
		if p := portIn(ports, container); p != nil {
			life = a.lifeIn(p.Sandbox)
		}
	}
	unlock, err := a.pods.acquire(ctx, life)
	if err != nil {
		return fmt.Errorf("wait for another call for the pod: %w", err)
	}
	defer unlock()
	ports, err := a.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	ends, err := a.links.List()
	if err != nil {
		return err
	}
	return a.unplug(ctx, namesOf(ports, ends, container, by))
}

// portIn is a port in the container, by what an ADD wrote; nil where none did.
func portIn(ports []ovs.Port, container string) *ovs.Port {
	for i := range ports {
		if ports[i].Sandbox.Container == container {
			return &ports[i]
		}
	}
	return nil
}

// namesOf are the ports and the host ends in a container that were made by
// whom it says. Most names are in both lists; a port without its device, or a
// device without its port, is what a crash or the end of a network namespace
// leaves. A host end without an owner was made by an agent that died.
func namesOf(ports []ovs.Port, ends []link.HostEnd, container string, by func(link.Owner) bool) []string {
	var names []string
	known := map[string]bool{}
	for _, p := range ports {
		if p.Sandbox.Container == container && by(link.NewOwner(container, p.Sandbox.IfName, p.Sandbox.Config)) {
			names, known[p.Name] = append(names, p.Name), true
		}
	}
	for _, end := range ends {
		if end.In(container) && !known[end.Name] && (end.Owner == (link.Owner{}) || by(end.Owner)) {
			names = append(names, end.Name)
		}
	}
	return names
}

// gc removes what belongs to attachments, in the sense of the CNI
// specification, that the runtime does not list as valid, of the call's
// network configuration only.
func (a *Agent) gc(ctx context.Context, call *cni.Call) error {
	ports, err := a.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	ends, err := a.links.List()
	if err != nil {
		return err
	}
	for _, gone := range garbage(ports, ends, call.Config) {
		err := a.release(ctx, "", gone.ContainerID, func(made link.Owner) bool {
			return made.IfName == gone.IfName && made.Config == link.ConfigName(call.Config.Name)
		})
		if err != nil {
			return fmt.Errorf("remove interfaces of container %q: %w", gone.ContainerID, err)
		}
	}
	return nil
}

// garbage lists the ADDs of the network configuration of which something is
// left, though the runtime does not know them any more.
func garbage(ports []ovs.Port, ends []link.HostEnd, config cni.Config) []cnitypes.GCAttachment {
	seen := map[cnitypes.GCAttachment]bool{}
	for _, valid := range config.ValidAttachments {
		seen[valid] = true
	}
	var gone []cnitypes.GCAttachment
	add := func(name, container, ifname string) {
		g := cnitypes.GCAttachment{ContainerID: container, IfName: ifname}
		if link.ConfigName(name) == link.ConfigName(config.Name) && !seen[g] {
			seen[g] = true
			gone = append(gone, g)
		}
	}
	for _, p := range ports {
		add(p.Sandbox.Config, p.Sandbox.Container, p.Sandbox.IfName)
	}
	for _, end := range ends {
		add(end.Owner.Config, end.Owner.Container, end.Owner.IfName)
	}
	return gone
}
