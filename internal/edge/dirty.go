package edge

import (
	"l2sm.io/l2sm/internal/evpn"
)

// dirty is what the worker has to look at.
type dirty struct {
	// networks by their number, hosts of them by MAC address.
	networks map[uint32]bool
	hosts    map[hostKey]bool
	// gone are networks that this edge has left, whose routes and flows are still there.
	gone []*network
	// all says that every flow has to be written: the bridge has none, or other ports.
	all bool
	// settings says that peers and the address of this edge have to be looked at.
	settings bool
	wake     chan struct{}
}

type hostKey struct {
	vni uint32
	mac evpn.MAC
}

func newDirty() dirty {
	return dirty{networks: map[uint32]bool{}, hosts: map[hostKey]bool{}, wake: make(chan struct{}, 1)}
}

// kick wakes the worker. It never blocks.
func (d *dirty) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// touch has the worker look at a network. Callers hold mu, here and below.
func (e *Edge) touch(vni uint32) {
	e.dirty.networks[vni] = true
	e.dirty.kick()
}

func (e *Edge) touchHost(vni uint32, mac evpn.MAC) {
	e.dirty.hosts[hostKey{vni, mac}] = true
	e.dirty.kick()
}

func (e *Edge) touchAll() {
	for vni := range e.byVNI {
		e.dirty.networks[vni] = true
	}
	e.dirty.kick()
}

// settingsChanged has the worker look at peers and addresses.
func (e *Edge) settingsChanged() {
	e.mu.Lock()
	e.dirty.settings = true
	e.dirty.kick()
	e.mu.Unlock()
	e.raceChanged.Raise()
}

// take takes all that there is to look at, but for the settings: what has changed of them
// since they were looked at is the next round's.
func (d *dirty) take() dirty {
	taken := *d
	*d = newDirty()
	d.wake, d.settings = taken.wake, taken.settings
	return taken
}
