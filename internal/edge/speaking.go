package edge

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"l2sm.io/l2sm/internal/evpn"
)

// patience bounds what a start waits for: peers that do not answer must not keep the
// others from their networks.
const patience = 10 * time.Second

// speaker announces, and counts.
type speaker interface {
	evpn.Speaker
	// Sent is how many routes name a peer, Dropped how many of an endpoint were.
	Sent(peer string) int
	Dropped(endpoint netip.Addr) map[evpn.Drop]uint64
}

// speaking is a running speaker, and what it was told.
type speaking struct {
	speaker
	settings settings
	stop     context.CancelFunc
	// peered says that it has peers: what is announced on start comes before.
	peered bool
}

func (s *speaking) withdraw(ctx context.Context, key evpn.RouteKey) error {
	if s == nil {
		return nil
	}
	return s.Withdraw(ctx, key)
}

func (s *speaking) announce(ctx context.Context, r route) error {
	if s == nil {
		return nil
	}
	return s.Announce(ctx, r.Route, r.peers)
}

// setPeers sets those that can be. The others are named in their L2Peers and tried again
// after a while: one mistake of an administrator's must not keep all from their networks.
func (w *worker) setPeers(ctx context.Context) {
	err := w.speaker.SetPeers(ctx, w.speaker.settings.peers)
	refused := ""
	if err != nil {
		refused = err.Error()
		w.log.Info("Not every peer can be set", "error", refused)
		time.AfterFunc(patience, w.settingsChanged)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = refused
	if err != nil {
		w.speaker.settings.peers = nil // so that they are set again
	}
}

// silence ends the speaker: peers are told nothing, and forget its routes after a while.
func (w *worker) silence() {
	if w.speaker == nil {
		return
	}
	w.speaker.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.speaker = nil
	w.forgetSessions()
	w.reportAll()
}

// speak starts the speaker, again where it has another address.
func (w *worker) speak(s settings) error {
	w.silence()
	running, stop := context.WithCancel(w.ctx)
	bgp, err := evpn.NewSpeaker(running, evpn.Config{Address: s.address, ASN: s.asn, Port: w.config.BGPPort}, events{w.Edge}, w.log.WithName("bgp"))
	if err != nil {
		stop()
		return fmt.Errorf("speak BGP at %s: %w", s.address, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.speaker = &speaking{speaker: bgp, stop: stop}
	for _, n := range w.byVNI {
		clear(n.announced)
	}
	w.touchAll()
	return nil
}

// peer gives the speaker its peers, once all that is announced on start is.
func (w *worker) peer(ctx context.Context) {
	if w.speaker == nil || w.speaker.peered {
		return
	}
	w.mu.Lock()
	ready := w.bridgeIs.synced || time.Since(w.began) > patience
	for _, n := range w.byVNI {
		ready = ready && (n.filled || time.Since(w.began) > patience)
	}
	w.mu.Unlock()
	if !ready {
		return
	}
	w.speaker.peered = true
	w.setPeers(ctx)
}
