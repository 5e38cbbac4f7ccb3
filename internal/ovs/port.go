package ovs

import (
	"context"
	"maps"
	"strconv"

	"l2sm.io/l2sm/internal/ovs/replica"
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
	// Noted is what the agent brought in line last.
	Noted Noted
	// State is what OVS and ovn-controller say; not written by us.
	State State
}

// Noted is what an agent notes on a port once it has acted on it, so that the
// next agent need not.
type Noted struct {
	// Network is the namespace and name of the L2Network that the port is on.
	Network string
	// InstalledAt is the State's of that moment, and zero before the first.
	InstalledAt int64
	// MTU of both ends, in bytes.
	MTU int
	// AcceptRA is the pod's sysctl accept_ra: empty where no agent has set it.
	AcceptRA string
	// Routes is yes or no, whether the pod may send Router Advertisements: empty
	// where no agent has seen to it.
	Routes string
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
	// InstalledAt is when it did so last, in milliseconds since 1970 by the
	// node's clock: it grows when the port is moved to another switch.
	InstalledAt int64
	// Error is why ovs-vswitchd could not open the interface.
	Error string
}

// Keys in an Interface's external_ids. The first ones are OVN's,
// ovn-controller(8); it writes the last two of them.
const (
	keyLogicalPort = "iface-id"
	keyPodUID      = "iface-id-ver" // also what OVN-Kubernetes' own cleanup goes by
	keyMAC         = "attached-mac"
	keyInstalled   = "ovn-installed"
	keyInstalledAt = "ovn-installed-ts"

	keyAttachment = "l2sm.io/attachment"
	keyInterface  = "l2sm.io/interface"
	keyContainer  = "l2sm.io/container"
	keyIfName     = "l2sm.io/ifname"
	keyConfig     = "l2sm.io/config"
	keyNetns      = "l2sm.io/netns"
	keyNamespace  = "l2sm.io/pod-namespace"
	keyPod        = "l2sm.io/pod"

	keyNetwork          = "l2sm.io/network"
	keyNotedInstalledAt = "l2sm.io/installed-ts"
	keyMTU              = "l2sm.io/mtu"
	keyAcceptRA         = "l2sm.io/accept-ra"
	keyRoutes           = "l2sm.io/routes"
)

func externalIDs(p Port) map[string]string {
	ids := map[string]string{
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
	maps.Copy(ids, notedIDs(p.Noted))
	return ids
}

// notedIDs has no key for what was not noted.
func notedIDs(n Noted) map[string]string {
	ids := map[string]string{}
	if n.Network != "" {
		ids[keyNetwork] = n.Network
	}
	if n.InstalledAt != 0 {
		ids[keyNotedInstalledAt] = strconv.FormatInt(n.InstalledAt, 10)
	}
	if n.MTU != 0 {
		ids[keyMTU] = strconv.Itoa(n.MTU)
	}
	if n.AcceptRA != "" {
		ids[keyAcceptRA] = n.AcceptRA
	}
	if n.Routes != "" {
		ids[keyRoutes] = n.Routes
	}
	return ids
}

// number is zero for what is missing, or is no number: nothing was noted.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
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
		Noted: Noted{
			Network: ids[keyNetwork], InstalledAt: number(ids[keyNotedInstalledAt]),
			MTU: int(number(ids[keyMTU])), AcceptRA: ids[keyAcceptRA], Routes: ids[keyRoutes],
		},
		State: State{Installed: ids[keyInstalled] == "true", InstalledAt: number(ids[keyInstalledAt])},
	}
	if row.Error != nil {
		p.State.Error = *row.Error
	}
	return p, p.Attachment != ""
}

// Ports returns our ports on the node.
func (c *Client) Ports(ctx context.Context) ([]Port, error) {
	rows, err := replica.List[vs.Interface](ctx, c.db)
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
