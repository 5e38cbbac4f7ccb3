package edge

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/evpn"
)

// settle brings bridge, table and speaker in line with the API.
func (w *worker) settle(ctx context.Context) error {
	w.mu.Lock()
	due := (w.dirty.settings || w.crypt.config != nil && !w.crypt.addressed) && w.filled
	if due {
		w.dirty.settings = false
	}
	w.mu.Unlock()
	if !due {
		return nil
	}
	if err := w.settleOn(ctx, w.settingsOf()); err != nil {
		w.mu.Lock()
		w.dirty.settings = true
		w.mu.Unlock()
		return err
	}
	return nil
}

func (w *worker) settleOn(ctx context.Context, s settings) error {
	switch {
	case !s.edge && !w.mayLeave(s): // looked at again when the last network has gone
		return nil
	case !s.edge:
		return w.retire(ctx)
	case !s.address.IsValid(): // what there is goes on
		w.log.Info("This edge has no address: see the L2Edge's condition Ready", "node", w.config.Node)
		return nil
	case w.speaker != nil && w.settled && reflect.DeepEqual(w.speaker.settings, s):
		return w.address(ctx)
	}
	w.retired, w.settled = false, false
	w.stay(true)
	w.mu.Lock()
	w.table.SetPeers(s.policies)
	w.table.SetOwn(append(slices.Clone(s.others), s.address))
	w.mu.Unlock()
	if err := w.encrypt(ctx, s); err != nil {
		return err
	}
	if err := w.bridge.Want(ctx, w.wanted(s)); err != nil {
		return err
	}
	if err := w.address(ctx); err != nil {
		return err
	}
	if w.speaker == nil || w.speaker.settings.address != s.address || w.speaker.settings.asn != s.asn {
		if err := w.speak(s); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.speaker.settings = s
	w.mu.Unlock()
	w.settled = true
	if w.speaker.peered { // else see peer
		w.setPeers(ctx)
	}
	return nil
}

// stay notes whether this node has something of an edge.
func (w *worker) stay(has bool) {
	w.mu.Lock()
	w.left = !has
	w.mu.Unlock()
	w.leftChanged.Raise()
}

// retire takes away all that an edge has: this node is none, or none any more.
func (w *worker) retire(ctx context.Context) error {
	if w.retired {
		return nil
	}
	for _, key := range w.allAnnounced() {
		if err := w.speaker.withdraw(ctx, key); err != nil {
			return err
		}
	}
	w.silence()
	w.close()
	if err := w.bridge.Remove(ctx); err != nil {
		return err
	}
	if err := w.encrypt(ctx, settings{}); err != nil {
		return err
	}
	w.retired = true
	w.stay(false)
	w.log.Info("This node is no edge: see the L2Edge's status.nodes", "node", w.config.Node)
	return nil
}

// allAnnounced are the routes of all networks.
func (w *worker) allAnnounced() []evpn.RouteKey {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := w.owed
	for _, n := range append(slices.Collect(maps.Values(w.byVNI)), w.dirty.gone...) {
		for _, routes := range n.announced {
			keys = slices.AppendSeq(keys, maps.Keys(routes))
		}
	}
	return keys
}

// wanted is what br-edge has to have. Edges of one cluster see each other by BFD.
func (w *worker) wanted(s settings) edgebridge.Config {
	c := edgebridge.Config{Local: s.address, Outlet: w.crypt.outlet()}
	for _, other := range s.others {
		if unreachable(s.address, other) == "" { // else the controller says it: EdgesApart
			c.Peers = append(c.Peers, other)
		}
	}
	for i, p := range s.policies {
		if p.Fabric {
			c.Fabric = true
			continue
		}
		c.Peers = append(c.Peers, s.peers[i].Endpoints...)
	}
	return c
}
