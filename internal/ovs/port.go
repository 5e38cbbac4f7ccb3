package ovs

import (
	"context"

	"l2sm.io/l2sm/internal/ovs/vs"
)

// Port is one attachment's interface on the integration bridge.
type Port struct {
	// Name of the host end on the node, and of the port and Interface in OVS.
	Name string
	// LogicalPort is the logical switch port's name in OVN.
	LogicalPort string
	// MAC of the pod's interface.
	MAC string
	// Interface is the interface's name in the pod.
	Interface string
	// Attachment is the UID of the L2Attachment.
	Attachment string
	// Sandbox is where the pod's interface is.
	Sandbox Sandbox
	// State is what OVS and ovn-controller say; not written by us.
	State State
}

// Sandbox is a pod's network namespace as one CNI ADD met it.
type Sandbox struct {
	// Container is CNI_CONTAINERID: one life of the pod's sandbox.
	Container string
	// IfName is CNI_IFNAME. One ADD may wire interfaces of other names.
	IfName string
	// Config is the name of the CNI network configuration.
	Config string
	// Netns is the path of the network namespace.
	Netns string
	// PodNamespace, PodName and PodUID are the pod's.
	PodNamespace, PodName, PodUID string
}

// State is what became of a port.
type State struct {
	// Installed: ovn-controller has installed the port's flows.
	Installed bool
	// Error is why ovs-vswitchd could not open the interface.
	Error string
}

// Keys in an Interface's external_ids. The first three and keyInstalled are
// OVN's, ovn-controller(8).
const (
	keyLogicalPort = "iface-id"
	keyPodUID      = "iface-id-ver" // also what OVN-Kubernetes' own cleanup goes by
	keyMAC         = "attached-mac"
	keyInstalled   = "ovn-installed"

	keyAttachment = "l2sm.io/attachment"
	keyInterface  = "l2sm.io/interface"
	keyContainer  = "l2sm.io/container"
	keyIfName     = "l2sm.io/ifname"
	keyConfig     = "l2sm.io/config"
	keyNetns      = "l2sm.io/netns"
	keyNamespace  = "l2sm.io/pod-namespace"
	keyPod        = "l2sm.io/pod"
)

func externalIDs(p Port) map[string]string {
	return map[string]string{
		keyLogicalPort: p.LogicalPort,
		keyPodUID:      p.Sandbox.PodUID,
		keyMAC:         p.MAC,
		keyAttachment:  p.Attachment,
		keyInterface:   p.Interface,
		keyContainer:   p.Sandbox.Container,
		keyIfName:      p.Sandbox.IfName,
		keyConfig:      p.Sandbox.Config,
		keyNetns:       p.Sandbox.Netns,
		keyNamespace:   p.Sandbox.PodNamespace,
		keyPod:         p.Sandbox.PodName,
	}
}

// portOf reads a Port from its row, and says whether it is ours.
func portOf(row *vs.Interface) (Port, bool) {
	ids := row.ExternalIDs
	p := Port{
		Name:        row.Name,
		LogicalPort: ids[keyLogicalPort],
		MAC:         ids[keyMAC],
		Interface:   ids[keyInterface],
		Attachment:  ids[keyAttachment],
		Sandbox: Sandbox{
			Container:    ids[keyContainer],
			IfName:       ids[keyIfName],
			Config:       ids[keyConfig],
			Netns:        ids[keyNetns],
			PodNamespace: ids[keyNamespace],
			PodName:      ids[keyPod],
			PodUID:       ids[keyPodUID],
		},
		State: State{Installed: ids[keyInstalled] == "true"},
	}
	if row.Error != nil {
		p.State.Error = *row.Error
	}
	return p, p.Attachment != ""
}

// Ports returns our ports on the node.
func (c *Client) Ports(ctx context.Context) ([]Port, error) {
	rows, err := list[vs.Interface](ctx, c)
	if err != nil {
		return nil, err
	}
	var ports []Port
	for _, row := range rows {
		if p, ours := portOf(row); ours {
			ports = append(ports, p)
		}
	}
	return ports, nil
}
