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
	if err := link.CheckName(a.Spec.Interface); err != nil {
		return wire{}, fmt.Errorf("L2Attachment %q: %w", a.Name, err)
	}
	mac, err := net.ParseMAC(a.Spec.MACAddress)
	if err != nil {
		return wire{}, fmt.Errorf("parse macAddress of L2Attachment %q: %w", a.Name, err)
	}
	addresses, err := addressesOf(a)
	if err != nil {
		return wire{}, err
	}
	inner := link.Interface{
		Name: a.Spec.Interface, MAC: mac, MTU: int(a.Status.MTU), Addresses: addresses,
		AcceptRA: a.Status.AcceptRouterAdvertisements, Routes: a.Status.SendRouterAdvertisements,
	}
	host := link.HostEnd{
		Name:  link.HostName(s.Container, inner.Name),
		Owner: link.NewOwner(s.Container, s.IfName, s.Config),
	}
	return wire{host: host, inner: inner, port: ovs.Port{
		Name:        host.Name,
		LogicalPort: logicalPort(a),
		MAC:         mac.String(),
		Interface:   inner.Name,
		Attachment:  string(a.UID),
		Sandbox:     s,
		Noted:       ovs.Noted{Network: networkOf(a).String(), MTU: inner.MTU, AcceptRA: link.AcceptRA(inner.AcceptRA), Routes: yesNo(inner.Routes)},
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
	// leaves whose sandbox is made again. Two interfaces of one logical port
	// would cut both off, so they go in the transaction that adds ours.
	stale []ovs.Port
	// taken are this sandbox's ports of other attachments that have the name of
	// one of the wires: the first holder keeps it.
	taken []ovs.Port
	wires []wire
}

// sameADD says which ports of a sandbox the same ADD has made.
func sameADD(s ovs.Sandbox) func(ovs.Port) bool {
	return func(p ovs.Port) bool {
		return p.Sandbox.IfName == s.IfName && link.ConfigName(p.Sandbox.Config) == link.ConfigName(s.Config)
	}
}

// planPlug compares what is wanted with the ports that there are. mine are those
// of the sandbox that an earlier try made.
func planPlug(s ovs.Sandbox, wires []wire, ports []ovs.Port, mine func(ovs.Port) bool) plan {
	p := plan{wires: wires}
	wanted, names := map[string]bool{}, map[string]bool{}
	for _, w := range wires {
		wanted[w.port.Attachment], names[w.port.Name] = true, true
	}
	for _, port := range ports {
		own := port.Sandbox.Container == s.Container
		switch {
		case own && (mine(port) || wanted[port.Attachment]):
			p.again = append(p.again, port)
		case own && names[port.Name]:
			p.taken = append(p.taken, port)
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

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
