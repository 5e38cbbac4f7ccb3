package openflow

import (
	"errors"
	"fmt"
	"net/netip"
)

// check returns why no switch could take the flow as it is meant: a number that is
// missing would be written as one that means something else.
func (f Flow) check() error {
	if f.Next != 0 && f.Next <= f.Table {
		return fmt.Errorf("table %d goes on to table %d, which is not after it", f.Table, f.Next)
	}
	if f.Match.Flooded && f.Match.Destination != (MAC{}) {
		return errors.New("it matches frames to many and one destination")
	}
	if f.Match.TunnelSource.Is4In6() {
		return errMapped
	}
	return checkActions(f.Actions, false)
}

var errMapped = errors.New("an IPv4 address is in IPv6's form")

// checkActions wants what follows a meter to be settled, but for the only output of a copy
// (apart).
func checkActions(actions []Action, apart bool) error {
	open := Police(0)
	for i, action := range actions {
		if err := checkAction(action); err != nil {
			return err
		}
		switch a := action.(type) {
		case Police:
			open = a
		case Settle:
			open = 0
		case Output, Apart:
			_, outputs := a.(Output)
			only := outputs && apart && i == len(actions)-1
			if open != 0 && !only {
				return fmt.Errorf("nothing settles meter %d before %T: Open vSwitch may look for ever for what follows it", open, a)
			}
		}
	}
	return nil
}

func checkAction(action Action) error {
	switch a := action.(type) {
	case Output:
		if a == 0 || a > lastPort {
			return fmt.Errorf("output to port %d: ports are 1 to %d", a, lastPort)
		}
	case Police:
		if a == 0 || a > lastMeter {
			return fmt.Errorf("meter %d: meters are 1 to %d", a, lastMeter)
		}
	case SetTunnelID:
		if a > lastTunnelID {
			return fmt.Errorf("tunnel id %d: VXLAN's end at %d", a, lastTunnelID)
		}
	case SetTunnelDestination:
		switch to := netip.Addr(a); {
		case !to.IsValid():
			return errors.New("a tunnel's destination has no address")
		case to.Is4In6():
			return errMapped
		}
	case Settle:
	case Apart:
		return checkActions(a, true)
	default:
		return fmt.Errorf("unknown action %T", action)
	}
	return nil
}

// The last numbers: OFPP_MAX of OpenFlow 1.0, which Open vSwitch gives its ports,
// OFPM_MAX, and 24 bits.
const (
	lastPort     = 0xfeff
	lastMeter    = 0xffff0000
	lastTunnelID = 1<<24 - 1
)
