package edge

import (
	"reflect"

	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/openflow"
)

// planNetwork is a network's own flows, its type 3, and, where these change, all of its
// hosts.
func (w *worker) planNetwork(p *plan, n *network) {
	if w.mayWrite(n) {
		w.planFlows(p, n)
	}
	want := map[evpn.RouteKey]announced{}
	if w.announces(n) {
		want[evpn.RouteKey{Kind: evpn.Multicast, VNI: n.vni}] = announced{mtu: w.mtu(n), peers: n.to()}
	}
	w.planRoutes(p, n, evpn.MAC{}, want)
	for mac := range n.byMAC {
		w.planAnnounced(p, n, mac)
	}
	for mac := range n.announced {
		if _, here := n.byMAC[mac]; !here {
			w.planAnnounced(p, n, mac)
		}
	}
}

func (w *worker) planFlows(p *plan, n *network) {
	want := map[openflow.Key]openflow.Flow{}
	c, meters := w.carried(n)
	p.flows = append(p.flows, meters...)
	of := map[openflow.Key]string{}
	for _, f := range c.flows() {
		want[f.Key], of[f.Key] = f.Flow, f.peer
	}
	for key := range n.base {
		if _, wanted := want[key]; !wanted {
			p.flows = append(p.flows, openflow.DeleteFlow(key))
		}
	}
	for key, f := range want {
		if had, has := n.base[key]; !has || !reflect.DeepEqual(had, f) {
			cookie := w.cookies.own()
			if of[key] != "" {
				cookie = w.cookies.peer(of[key], false)
			}
			p.flows = append(p.flows, openflow.PutFlow{Flow: f, Cookie: cookie})
		}
	}
	n.base = want
}

// planHost is a MAC address: where it is, or what is announced of it.
func (w *worker) planHost(p *plan, k hostKey) {
	at, is := w.memberOf(w.follows[k])
	want := placed{at, w.follows[k].Peer}
	have, had := w.placed[k]
	switch {
	case is && (!had || have != want):
		p.flows = append(p.flows, openflow.PutFlow{Flow: macFlow(k.vni, k.mac, want.vtep, want.way), Cookie: w.cookies.peer(want.peer, true)})
		w.placed[k] = want
	case !is && had:
		p.flows = append(p.flows, openflow.DeleteFlow(macKey(k.vni, k.mac)))
		delete(w.placed, k)
	}
	if n := w.byVNI[k.vni]; n != nil {
		w.planAnnounced(p, n, k.mac)
	}
}

func (w *worker) planAnnounced(p *plan, n *network, mac evpn.MAC) {
	if mac == (evpn.MAC{}) {
		return
	}
	want := map[evpn.RouteKey]announced{}
	if h, is := n.host(mac); is && w.announces(n) {
		sequence, _ := w.table.Sequence(n.vni, mac)
		for _, key := range routesOf(n.vni, h) {
			want[key] = announced{sequence: sequence, peers: n.to()}
		}
	}
	w.planRoutes(p, n, mac, want)
}

func (w *worker) planRoutes(p *plan, n *network, mac evpn.MAC, want map[evpn.RouteKey]announced) {
	withdraw, announce := steps(n.announced[mac], want)
	p.withdraw = append(p.withdraw, withdraw...)
	for _, key := range announce {
		p.announce = append(p.announce, route{Route: evpn.Route{RouteKey: key, Sequence: want[key].sequence, MTU: want[key].mtu}, peers: n.peers})
	}
	if len(want) == 0 {
		delete(n.announced, mac)
		return
	}
	n.announced[mac] = want
}
