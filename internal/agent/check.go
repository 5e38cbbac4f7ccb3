package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// check compares what the call's ADD is to have made with what there is.
func (a *Agent) check(ctx context.Context, call *cni.Call) error {
	pod, err := a.pod(ctx, call.Pod)
	if err != nil {
		return err
	}
	wanted, err := wants(call, pod)
	if err != nil {
		return err
	}
	wires, err := a.wires(ctx, sandboxOf(call), pod, wanted)
	if err != nil {
		return err
	}
	ports, err := a.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range wires {
		is, err := link.Inspect(call.Netns, w.inner.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, compareInterface(w.inner, is), comparePort(w.port, ports))
	}
	return errors.Join(errs...)
}

func compareInterface(want, is link.Interface) error {
	var errs []error
	if is.MAC.String() != want.MAC.String() {
		errs = append(errs, fmt.Errorf("interface %q has MAC address %s, want %s", want.Name, is.MAC, want.MAC))
	}
	if is.MTU != want.MTU {
		errs = append(errs, fmt.Errorf("interface %q has MTU %d, want %d", want.Name, is.MTU, want.MTU))
	}
	// A pod may have added addresses of its own.
	lost := slices.DeleteFunc(slices.Clone(want.Addresses), func(p netip.Prefix) bool { return slices.Contains(is.Addresses, p) })
	if len(lost) > 0 {
		errs = append(errs, fmt.Errorf("interface %q lacks addresses %v", want.Name, lost))
	}
	return errors.Join(errs...)
}

func comparePort(want ovs.Port, ports []ovs.Port) error {
	for _, is := range ports {
		if is.Name != want.Name {
			continue
		}
		if is.State.Error != "" {
			return fmt.Errorf("ovs-vswitchd refuses port %q of interface %q: %s", is.Name, want.Interface, is.State.Error)
		}
		if !is.State.Installed {
			return fmt.Errorf("OVN's flows for port %q of interface %q are not installed", is.Name, want.Interface)
		}
		is.State, is.Noted = want.State, want.Noted
		if is != want {
			return fmt.Errorf("port %q of interface %q is %+v in Open vSwitch, want %+v", is.Name, want.Interface, is, want)
		}
		return nil
	}
	return fmt.Errorf("interface %q has no port %q on bridge %s", want.Interface, want.Name, ovs.IntegrationBridge)
}
