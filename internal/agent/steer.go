package agent

import (
	"context"
	"fmt"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// steer has each address in a container leave by its own interface, where
// several interfaces of ours are in one subnet: see link.Steer.
func (a *Agent) steer(ctx context.Context, s ovs.Sandbox) error {
	// Interfaces get their addresses side by side: the last to come sees all.
	unlock, err := a.steering.acquire(ctx, s.Container)
	if err != nil {
		return fmt.Errorf("wait for the container's rules: %w", err)
	}
	defer unlock()
	ports, err := a.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	return link.Steer(s.Netns, a.interfacesIn(ports, s.Container))
}

// steerSeveral is steer for a container that has more interfaces than one.
func (a *Agent) steerSeveral(ctx context.Context, s ovs.Sandbox) error {
	ports, err := a.ovs.Ports(ctx)
	if err != nil || !severalIn(ports, s.Container) {
		return err
	}
	return a.steer(ctx, s)
}

// interfacesIn are the interfaces that ports have in a container, with the
// addresses that they should have.
func (a *Agent) interfacesIn(ports []ovs.Port, container string) []link.Interface {
	var all []link.Interface
	for _, p := range ports {
		if p.Sandbox.Container != container {
			continue
		}
		want, err := a.wanted(p)
		if err != nil {
			continue // such an attachment was never plugged in
		}
		all = append(all, want)
	}
	return all
}

// severalIn says whether a container has interfaces of ours that could be in one
// subnet.
func severalIn(ports []ovs.Port, container string) bool {
	n := 0
	for _, p := range ports {
		if p.Sandbox.Container == container {
			n++
		}
	}
	return n > 1
}
