package edge

import (
	"cmp"
	"slices"

	"l2sm.io/l2sm/internal/openflow"
)

// meterKey is what a meter is for: what a peer floods into a network, or a network to it.
type meterKey struct {
	vni  uint32
	peer string
	out  bool
}

// meters are those of the connection, numbered from 1.
type meters struct {
	of   map[meterKey]openflow.Meter
	last uint32
}

func newMeters() meters { return meters{of: map[meterKey]openflow.Meter{}} }

// need returns the number of a meter, and what has to be written for it.
func (m *meters) need(key meterKey, rate uint32) (id uint32, puts []openflow.Change) {
	have, has := m.of[key]
	if has && have.Rate == rate {
		return have.ID, nil
	}
	if !has {
		m.last++
		have.ID = m.last
	}
	have.Rate = rate
	m.of[key] = have
	return have.ID, []openflow.Change{openflow.PutMeter(have)}
}

// defaultFloodRate is that of the API, for peers that are not there any more.
const defaultFloodRate = 1000

// free returns what has to be written to have no meters of a network.
func (m *meters) free(vni uint32) []openflow.Change {
	var deletions []openflow.Change
	for key, meter := range m.of {
		if key.vni == vni {
			deletions = append(deletions, openflow.DeleteMeter(meter.ID))
			delete(m.of, key)
		}
	}
	return deletions
}

// carried is the network with its ways and meters.
func (w *worker) carried(n *network) (carried, []openflow.Change) {
	c := carried{vni: n.vni, port: w.portOf(n)}
	var puts []openflow.Change
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
		for key, into := range map[meterKey]*uint32{{n.vni, via.Peer, false}: &m.in, {n.vni, via.Peer, true}: &m.out} {
			id, put := w.meters.need(key, rate)
			*into, puts = id, append(puts, put...)
		}
		c.members = append(c.members, m)
	}
	slices.SortStableFunc(c.members, func(a, b flooder) int { return cmp.Compare(a.peer, b.peer) })
	return c, puts
}
