package agent

import (
	"fmt"
	"net"
	"net/netip"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// wire is one attachment's interface in one sandbox.
type wire struct {
	host  link.HostEnd
	inner link.Interface
	port  ovs.Port
	// extra: no annotation of the pod asks for it.
	extra bool
}

// newWire says what is to be made of a granted attachment.
func newWire(s ovs.Sandbox, a *v1alpha1.L2Attachment) (wire, error) {
	mac, err := net.ParseMAC(a.Spec.MACAddress)
	if err != nil {
		return wire{}, fmt.Errorf("parse macAddress of L2Attachment %q: %w", a.Name, err)
	}
	addresses, err := addressesOf(a)
	if err != nil {
		return wire{}, err
	}
	inner := link.Interface{Name: a.Spec.Interface, MAC: mac, MTU: int(a.Status.MTU), Addresses: addresses}
	host := link.HostEnd{
		Name:  link.HostName(s.Container, inner.Name),
		Owner: link.Owner{Container: s.Container, IfName: s.IfName, Config: s.Config},
	}
	return wire{host: host, inner: inner, port: ovs.Port{
		Name:        host.Name,
		LogicalPort: logicalPort(a),
		MAC:         mac.String(),
		Interface:   inner.Name,
		Attachment:  string(a.UID),
		Sandbox:     s,
		Noted:       ovs.Noted{Network: networkOf(a).String(), MTU: inner.MTU},
	}}, nil
}

func addressesOf(a *v1alpha1.L2Attachment) ([]netip.Prefix, error) {
	var addresses []netip.Prefix
	for _, text := range a.Spec.Addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("parse addresses of L2Attachment %q: %w", a.Name, err)
		}
		addresses = append(addresses, p)
	}
	return addresses, nil
}

// logicalPort is what the controller calls the attachment's logical switch
// port.
func logicalPort(a *v1alpha1.L2Attachment) string {
	return fmt.Sprintf("l2sm/%s/%s", a.Namespace, a.Name)
}

// plan is how a sandbox comes to its wires.
type plan struct {
	// again are this sandbox's own ports that an earlier try left: they go
	// before anything of the same name is made.
	again []ovs.Port
	// stale are other sandboxes' ports of the same attachments, which a pod
	// leaves whose sandbox is made anew. Two interfaces of one logical port
	// would cut both off, so they go in the transaction that adds ours.
	stale []ovs.Port
	wires []wire
}

// planPlug compares what is wanted with the ports that there are.
func planPlug(s ovs.Sandbox, wires []wire, ports []ovs.Port) plan {
	p := plan{wires: wires}
	wanted := map[string]bool{}
	for _, w := range wires {
		wanted[w.port.Attachment] = true
	}
	for _, port := range ports {
		own := port.Sandbox.Container == s.Container
		switch {
		case own && (port.Sandbox.IfName == s.IfName && port.Sandbox.Config == s.Config || wanted[port.Attachment]):
			p.again = append(p.again, port)
		case !own && wanted[port.Attachment]:
			p.stale = append(p.stale, port)
		}
	}
	return p
}

func portNames(ports []ovs.Port) []string {
	var names []string
	for _, p := range ports {
		names = append(names, p.Name)
	}
	return names
}

func wirePorts(wires []wire) []ovs.Port {
	var ports []ovs.Port
	for _, w := range wires {
		ports = append(ports, w.port)
	}
	return ports
}
