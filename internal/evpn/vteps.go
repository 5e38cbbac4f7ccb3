package evpn

// MaxVTEPs is how many VTEPs of fabrics a network may have: a frame to all is copied to each, and
// what does it is one flow, which Open vSwitch drops when it has grown too long. Each fabric
// that is in force on the network has an equal share, of the lowest addresses. A cluster has
// no more VTEPs than endpoints.
const MaxVTEPs = 256

// share is how many VTEPs a peer may have on the network.
func (t *Table) share(n *network) int {
	fabrics := 0
	for name := range n.inForce {
		if p := t.peers[name]; p != nil && p.Fabric {
			fabrics++
		}
	}
	return MaxVTEPs / max(1, fabrics)
}

// vtepsRefused is how many of the member's VTEPs are beyond its share.
func (t *Table) vtepsRefused(m *member) int {
	share, has := t.share(m.network), 0
	if m.floods <= share {
		return 0
	}
	for _, via := range m.network.floods.keys {
		if via.Peer == m.peer.Name {
			has++
		}
	}
	return max(0, has-share)
}
