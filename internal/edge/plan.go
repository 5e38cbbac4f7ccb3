package edge

import (
	"time"

	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/openflow"
)

// placed is a MAC address' flow.
type placed struct {
	member
	peer string
}

// plan is what one round has to do.
type plan struct {
	withdraw []evpn.RouteKey
	flows    []openflow.Change
	announce []route
}

// route is what is announced to whom.
type route struct {
	evpn.Route
	peers []string
}

// plan decides what has to be done of all that has changed.
func (w *worker) plan() plan {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.dirty.take()
	var p plan
	for _, n := range d.gone {
		w.abandon(&p, n)
	}
	for k := range d.hosts {
		w.bind(k)
	}
	w.learn(&d)
	if d.all {
		for vni := range w.byVNI {
			d.networks[vni] = true
		}
		for k := range w.follows {
			d.hosts[k] = true
		}
	}
	for vni := range d.networks {
		if n := w.byVNI[vni]; n != nil {
			w.planNetwork(&p, n)
		}
	}
	for k := range d.hosts {
		w.planHost(&p, k)
	}
	return p
}

// abandon takes away what is left of a network.
func (w *worker) abandon(p *plan, n *network) {
	for _, routes := range n.announced {
		for key := range routes {
			p.withdraw = append(p.withdraw, key)
		}
	}
	for mac := range n.byMAC {
		w.table.DeleteLocal(n.vni, mac)
	}
	for key := range n.base {
		p.flows = append(p.flows, openflow.DeleteFlow(key))
	}
	if w.byVNI[n.vni] == nil { // else its flows name them soon
		p.flows = append(p.flows, w.meters.keep(n.vni, nil)...)
	}
}

// bind tells the table which MAC addresses are ours.
func (w *worker) bind(k hostKey) {
	if n := w.byVNI[k.vni]; n != nil {
		if h, is := n.host(k.mac); is {
			w.table.SetLocal(k.vni, k.mac, h.addresses)
			return
		}
	}
	w.table.DeleteLocal(k.vni, k.mac)
}

// learn takes what the table has to say.
func (w *worker) learn(d *dirty) {
	w.table.Expire(time.Now())
	changes := w.table.Changes()
	for _, f := range changes.Follows {
		k := hostKey{f.VNI, f.MAC}
		if f.Via.VTEP.IsValid() {
			w.follows[k] = f.Via
		} else {
			delete(w.follows, k)
		}
		d.hosts[k] = true
	}
	for _, f := range changes.Floods {
		d.networks[f.VNI] = true
	}
	for _, s := range changes.Sequences {
		d.hosts[hostKey{s.VNI, s.MAC}] = true
	}
	for _, s := range changes.Statuses {
		w.reports.Queue.AddAfter(s.Peer, statusPace)
	}
	for _, h := range changes.Hosts {
		w.hostChanged(h)
	}
}
