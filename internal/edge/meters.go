package edge

import (
	"cmp"

	"l2sm.io/l2sm/internal/openflow"
)

// meterKey is what a meter is for: what a network floods to all, or what a peer floods
// into it.
type meterKey struct {
	vni  uint32
	peer string
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

// carried is the network with its ways and meters.
func (w *worker) carried(n *network) (carried, []openflow.Change) {
	c := carried{vni: n.vni, port: w.portOf(n)}
	var puts []openflow.Change
	least := uint32(0)
	for _, via := range w.table.Flood(n.vni) {
		at, is := w.memberOf(via)
		if !is {
			continue
		}
		m := flooder{member: at, peer: via.Peer}
		rate := uint32(defaultFloodRate)
		if p := w.cache.L2Peer(via.Peer); p != nil {
			rate = cmp.Or(uint32(p.Spec.FloodRate), rate)
		}
		if least == 0 || rate < least {
			least = rate
		}
		var put []openflow.Change
		m.meter, put = w.meters.need(meterKey{n.vni, via.Peer}, rate)
		puts = append(puts, put...)
		c.members = append(c.members, m)
	}
	if len(c.members) > 0 {
		var put []openflow.Change
		c.meter, put = w.meters.need(meterKey{vni: n.vni}, least)
		puts = append(puts, put...)
	}
	return c, puts
}
