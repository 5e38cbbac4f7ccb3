package link

import "errors"

// HotConfig stands where ADDs write the name of their network configuration, on
// what is plugged into a running pod. No configuration can be called so (CNI
// specification, "Configuration format": name), so GC leaves it alone.
const HotConfig = "@hot"

// EarlyConfig stands there on what was plugged in when the container runtime told
// of the sandbox, without an ADD (internal/nri).
const EarlyConfig = "@nri"

// EndsWith says whether a DEL with the CNI_IFNAME removes what the owner made:
// its own, and what was plugged into the container besides, for which no other DEL
// comes.
func (o Owner) EndsWith(ifname string) bool {
	return o.IfName == ifname || o.Config == HotConfig || o.Config == EarlyConfig
}

// Release removes the host ends of a container that a DEL with the CNI_IFNAME
// ends, and with them the pod's interfaces. It asks the kernel alone, so it works
// while everything else is away; what it leaves are ports without a device, which
// the agent sweeps.
func (l *Links) Release(container, ifname string) error {
	ends, err := l.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, end := range ends {
		if end.In(container) && (end.Owner == (Owner{}) || end.Owner.EndsWith(ifname)) {
			errs = append(errs, l.Delete(end.Name))
		}
	}
	return errors.Join(errs...)
}
