package agent

import (
	"context"
	"errors"
	"os"

	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// gatherInventory is the plugger's inventory and, where the node has databases of
// its own, what they hold.
func (a *Agent) gatherInventory(ctx context.Context) (inventory.Node, error) {
	all, err := a.inventory(ctx, a.config.Node)
	if err != nil || a.zone == nil {
		return all, err
	}
	all.Zone, err = a.zone(ctx)
	return all, err
}

// inventory gathers what there is on the node. It changes nothing and waits
// for no call that is under way, so that one may be seen half done.
func (p *plugger) inventory(ctx context.Context, node string) (inventory.Node, error) {
	ports, err := p.ovs.Ports(ctx)
	if err != nil {
		return inventory.Node{}, err
	}
	ends, err := p.links.List()
	if err != nil {
		return inventory.Node{}, err
	}

	all := inventory.Node{Node: node}
	for _, port := range ports {
		all.Ports = append(all.Ports, inventoryPort(port))
	}
	for _, end := range ends {
		all.HostEnds = append(all.HostEnds, inventory.HostEnd{
			Name: end.Name, Container: end.Owner.Container, IfName: end.Owner.IfName,
		})
	}
	return all, nil
}

func inventoryPort(p ovs.Port) inventory.Port {
	return inventory.Port{
		Name:         p.Name,
		LogicalPort:  p.LogicalPort,
		Attachment:   p.Attachment,
		MAC:          p.MAC,
		Interface:    p.Interface,
		Container:    p.Sandbox.Container,
		PodNamespace: p.Sandbox.PodNamespace,
		PodName:      p.Sandbox.PodName,
		PodUID:       p.Sandbox.PodUID,
		Installed:    p.State.Installed,
		Error:        p.State.Error,
		Inner:        inspect(p.Sandbox.Netns, p.Interface),
	}
}

func inspect(netns, name string) inventory.Interface {
	is, err := link.Inspect(netns, name)
	if errors.Is(err, os.ErrNotExist) {
		return inventory.Interface{}
	}
	if err != nil {
		return inventory.Interface{Error: err.Error()}
	}
	all := inventory.Interface{Present: true, MAC: is.MAC.String(), MTU: is.MTU}
	for _, address := range is.Addresses {
		all.Addresses = append(all.Addresses, address.String())
	}
	return all
}
