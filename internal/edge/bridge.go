package edge

import (
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/evpn"
)

// bridgeIs is what br-edge has.
type bridgeIs struct {
	// tunnels by their endpoint, shared the one of fabrics.
	tunnels map[netip.Addr]edgebridge.Tunnel
	shared  edgebridge.Tunnel
	// sights are what BFD shows of endpoints, alive since when ovs-vswitchd has answered.
	sights map[netip.Addr]sight
	alive  time.Time
	// patches are the numbers of networks' ports: where there is one, the network's port is
	// bound here.
	patches map[string]uint32
	synced  bool
}

func newBridgeIs() bridgeIs {
	return bridgeIs{tunnels: map[netip.Addr]edgebridge.Tunnel{}, sights: map[netip.Addr]sight{}, patches: map[string]uint32{}}
}

// Tunnel follows a port to a peer (edgebridge.Events).
func (e *Edge) Tunnel(endpoint netip.Addr, is edgebridge.Tunnel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.raceChanged.Raise()
	was := e.bridgeIs.shared
	if !endpoint.IsValid() {
		e.bridgeIs.shared = is
	} else {
		was = e.bridgeIs.tunnels[endpoint]
		e.bridgeIs.tunnels[endpoint] = is
		if is == (edgebridge.Tunnel{}) {
			delete(e.bridgeIs.tunnels, endpoint)
			delete(e.bridgeIs.sights, endpoint)
		}
	}
	if was.Port != is.Port {
		e.dirty.all = true
		e.dirty.kick()
	}
	if was.BFD.Forwarding != is.BFD.Forwarding {
		sees := e.bridgeIs.sights[endpoint].told(is.BFD.Forwarding, e.bridgeIs.alive, time.Now())
		e.bridgeIs.sights[endpoint] = sees
		// Who never answered BFD may have none: only one that was there can be missed.
		e.table.SetReachable(endpoint, !sees.gone)
		e.log.Info("BFD", "endpoint", endpoint, "forwarding", is.BFD.Forwarding, "state", is.BFD.State, "diagnostic", is.BFD.Diagnostic)
		e.dirty.kick()
		e.reportAll()
	}
}

// Network follows a network's patch port (edgebridge.Events).
func (e *Edge) Network(name string, port uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if port == 0 {
		delete(e.bridgeIs.patches, name)
		if len(e.bridgeIs.patches) == 0 { // a node that is an edge no more may leave
			e.dirty.settings = true
			e.dirty.kick()
		}
	} else {
		e.bridgeIs.patches[name] = port
	}
	namespace, short, _ := strings.Cut(name, "/")
	if n := e.networks[types.NamespacedName{Namespace: namespace, Name: short}]; n != nil {
		e.log.Info("The network's port", "network", name, "id", n.vni, "boundHere", port != 0, "port", port)
		e.touch(n.vni)
		e.writeRemotesOf(n)
	}
}

// Synced says that all is told that the database has (edgebridge.Events).
func (e *Edge) Synced() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bridgeIs.synced = true
	e.dirty.kick()
}

// portOf is the network's port in br-edge, 0 where it is bound elsewhere.
func (e *Edge) portOf(n *network) uint32 { return e.bridgeIs.patches[n.object.Key().String()] }

// announces says whether this edge speaks for the network: its port is bound here, and
// all of its attachments are known.
func (e *Edge) announces(n *network) bool {
	return n.filled && e.portOf(n) != 0 && e.mayCarry(n) && len(n.peers) > 0
}

// mayCarry says whether the API has the network bound to this node, as far as is known: a
// patch port that ovn-controller has not taken away yet leads nowhere.
func (e *Edge) mayCarry(n *network) bool {
	chassis := n.object.Status.Stretch.Chassis
	return chassis == "" || chassis == e.config.Node
}

// wayTo is how frames get to a VTEP of a peer.
func (e *Edge) wayTo(via evpn.Via) way {
	if t, own := e.bridgeIs.tunnels[via.VTEP]; own {
		return way{port: t.Port}
	}
	return way{port: e.bridgeIs.shared.Port, shared: true}
}

// memberOf is a VTEP with the way to it, and whether there is one.
func (e *Edge) memberOf(via evpn.Via) (member, bool) {
	if !via.VTEP.IsValid() {
		return member{}, false
	}
	m := member{vtep: via.VTEP, way: e.wayTo(via)}
	return m, m.way.port != 0
}

// seesEdge says whether BFD has another edge of this cluster up, and whether it saw it go.
// A node whose own ovs-vswitchd does not answer sees nothing.
func (e *Edge) seesEdge(address string) (up, gone bool) {
	outside, err := netip.ParseAddr(address)
	if err != nil {
		return false, false
	}
	at := e.reach().to(outside)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bridgeIs.alive.IsZero() {
		return false, false
	}
	return e.bridgeIs.sights[at].up, e.bridgeIs.sights[at].gone
}
