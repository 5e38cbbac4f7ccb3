package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// check compares what the call's ADD should have made with what there is.
func (a *Agent) check(ctx context.Context, call *cni.Call) error {
	pod, err := a.pod(ctx, call.Pod)
	if err != nil {
		return err
	}
	wires, err := a.wires(call, pod)
	if err != nil {
		return err
	}
	ports, err := a.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range wires {
		port := portNamed(ports, w.port.Name)
		if w.extra && port == nil {
			continue // the watch is about to plug it in
		}
		errs = append(errs, a.checkWire(call, w, port))
	}
	if interfaces := a.interfacesIn(ports, call.Container); len(interfaces) > 1 {
		errs = append(errs, link.Steered(call.Netns, interfaces))
	}
	return errors.Join(errs...)
}

func portNamed(ports []ovs.Port, name string) *ovs.Port {
	i := slices.IndexFunc(ports, func(p ovs.Port) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &ports[i]
}

func (a *Agent) checkWire(call *cni.Call, w wire, port *ovs.Port) error {
	is, err := link.Inspect(call.Netns, w.inner.Name)
	if err != nil {
		return err
	}
	key, _ := attachmentKey(w.port.LogicalPort)
	attachment := a.node.Attachment(key)
	if attachment == nil {
		return nil // it went since
	}
	return errors.Join(compareInterface(w.inner, is), comparePort(w.port, port), compareBinding(attachment, w.port))
}

// compareBinding compares with what the controller has in the northbound
// database. After a refused move the port is where it was, and as good.
func compareBinding(a *v1alpha1.L2Attachment, want ovs.Port) error {
	if refusedPort(a) {
		return fmt.Errorf("OVN has no logical switch port for interface %q: %s", want.Interface, refused(a))
	}
	if a.Status.PortName != want.LogicalPort {
		return fmt.Errorf("interface %q is logical switch port %q, and the controller says %q", want.Interface, want.LogicalPort, a.Status.PortName)
	}
	return nil
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

func comparePort(want ovs.Port, is *ovs.Port) error {
	switch {
	case is == nil:
		return fmt.Errorf("interface %q has no port %q on bridge %s", want.Interface, want.Name, ovs.IntegrationBridge)
	case is.State.Error != "":
		return fmt.Errorf("ovs-vswitchd refuses port %q of interface %q: %s", is.Name, want.Interface, is.State.Error)
	case !is.State.Installed:
		return fmt.Errorf("OVN's flows for port %q of interface %q are not installed", is.Name, want.Interface)
	}
	// What the ADD was, and what became of it, is not the attachment's.
	same := *is
	same.State, same.Noted = want.State, want.Noted
	same.Sandbox.IfName, same.Sandbox.Config = want.Sandbox.IfName, want.Sandbox.Config
	if same != want {
		return fmt.Errorf("port %q of interface %q is %+v in Open vSwitch, want %+v", is.Name, want.Interface, *is, want)
	}
	return nil
}
