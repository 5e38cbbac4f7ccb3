package edge

import (
	"cmp"
	"net/netip"
	"slices"

	"l2sm.io/l2sm/internal/openflow"
)

// meterKey is what a meter of a network is for: what a peer floods into it, or, where there
// is a VTEP, what it floods to that one. A meter of several VTEPs would not hold for all of
// them where Open vSwitch executes actions itself (openflow.Settle).
type meterKey struct {
	peer string
	vtep netip.Addr
}

// meters are those of the connection, by network, numbered from 1.
type meters struct {
	of   map[uint32]map[meterKey]openflow.Meter
	last uint32
}

func newMeters() meters { return meters{of: map[uint32]map[meterKey]openflow.Meter{}} }

// need returns the number of a meter, and what has to be written for it.
func (m *meters) need(vni uint32, key meterKey, rate uint32) (id uint32, puts []openflow.Change) {
	have, has := m.of[vni][key]
	if has && have.Rate == rate {
		return have.ID, nil
	}
	if !has {
		m.last++
		have.ID = m.last
	}
	have.Rate = rate
	if m.of[vni] == nil {
		m.of[vni] = map[meterKey]openflow.Meter{}
	}
	m.of[vni][key] = have
	return have.ID, []openflow.Change{openflow.PutMeter(have)}
}

// defaultFloodRate is that of the API, for peers that are not there any more.
const defaultFloodRate = 1000

// keep returns what has to be written to have no meters of a network but those of the keys:
// a fabric may announce another VTEP every second.
func (m *meters) keep(vni uint32, keys map[meterKey]bool) []openflow.Change {
	var deletions []openflow.Change
	for key, meter := range m.of[vni] {
		if !keys[key] {
			deletions = append(deletions, openflow.DeleteMeter(meter.ID))
			delete(m.of[vni], key)
		}
	}
	if len(m.of[vni]) == 0 {
		delete(m.of, vni)
	}
	return deletions
}

// carried is the network with its ways and meters, and what has to be written for these.
func (w *worker) carried(n *network) (carried, []openflow.Change) {
	c := carried{vni: n.vni, port: w.portOf(n)}
	var changes []openflow.Change
	used := map[meterKey]bool{}
	for _, via := range w.table.Flood(n.vni) {
		at, is := w.memberOf(via)
		if !is {
			continue
		}
		rate := uint32(defaultFloodRate)
		if p := w.cache.L2Peer(via.Peer); p != nil {
			rate = cmp.Or(uint32(p.Spec.FloodRate), rate)
		}
		m := flooder{member: at, peer: via.Peer}
		for key, into := range map[meterKey]*uint32{{peer: via.Peer}: &m.in, {peer: via.Peer, vtep: at.vtep}: &m.out} {
			id, put := w.meters.need(n.vni, key, rate)
			*into, changes, used[key] = id, append(changes, put...), true
		}
		c.members = append(c.members, m)
	}
	slices.SortStableFunc(c.members, func(a, b flooder) int { return cmp.Compare(a.peer, b.peer) })
	return c, append(changes, w.meters.keep(n.vni, used)...)
}
