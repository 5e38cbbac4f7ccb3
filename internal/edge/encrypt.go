package edge

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/wireguard"
)

// How soon endpoints that do not answer are looked at again for another key of theirs.
const (
	chooseFirst = 250 * time.Millisecond
	chooseLast  = 8 * time.Second
)

// encryption is what the worker has of WireGuard. A node without it has the zero one.
type encryption struct {
	device *wireguard.Device
	// config is that of the device, nil where there is none.
	config *wireguard.Config
	// addressed says that addresses and routes are there, as far as is known: a bridge that
	// comes back has none.
	addressed bool
	// silent are the endpoints that did not answer when they were looked at last, next is when
	// they are again, and again after what time that was.
	silent []netip.Addr
	next   time.Time
	again  time.Duration
}

// encrypt brings the device there, or takes it away, before tunnels ask for it.
func (w *worker) encrypt(ctx context.Context, s settings) error {
	if !s.reach.encrypted {
		w.crypt.config = nil
		return w.crypt.device.Remove()
	}
	keys, err := w.keys(ctx, s)
	if err != nil {
		return err
	}
	userspace, err := w.bridge.Userspace(ctx)
	if err != nil {
		return err
	}
	c := wireguard.Config{
		PrivateKey: keys.current, Local: s.reach.own, Port: w.config.WireGuardPort, MTU: s.mtu, Peers: s.wire, Bridged: userspace, BGP: w.config.BGPPort,
	}
	var shared *wireguard.SharedKeyError // what settings do not see is no reason to keep others waiting
	switch err := w.crypt.device.Bring(ctx, c); {
	case errors.As(err, &shared):
		w.log.Info("A key is left out", "error", err.Error())
	case err != nil:
		return err
	}
	w.crypt.config, w.crypt.addressed = &c, false
	return nil
}

// address gives the link its addresses and routes, where it may have lost them.
func (w *worker) address(ctx context.Context) error {
	if w.crypt.config == nil || w.crypt.addressed {
		return nil
	}
	if err := w.crypt.device.Address(ctx, *w.crypt.config); err != nil {
		return err
	}
	w.crypt.addressed = true
	return nil
}

// outlet is the bridge that the device is a port of.
func (c encryption) outlet() *edgebridge.Outlet {
	if c.config == nil || !c.config.Bridged {
		return nil
	}
	return &edgebridge.Outlet{Bridge: wireguard.Bridge, Port: wireguard.Link, MAC: wireguard.NearMAC.String()}
}

// choose has endpoints that may have another key by now be sent to with that one, and says
// when to look again: WireGuard tells of no handshake.
func (w *worker) choose(ctx context.Context) time.Duration {
	silent := w.silentEndpoints()
	if !slices.Equal(silent, w.crypt.silent) {
		w.crypt.silent, w.crypt.next, w.crypt.again = silent, time.Time{}, 0
	}
	if len(silent) == 0 {
		return 0
	}
	if wait := time.Until(w.crypt.next); wait > 0 { // rounds come for other reasons as well
		return wait
	}
	w.crypt.again = min(max(2*w.crypt.again, chooseFirst), chooseLast)
	w.crypt.next = time.Now().Add(w.crypt.again)
	changed, err := w.crypt.device.Choose(ctx, silent)
	if err != nil {
		w.log.Info("Cannot look for other keys of endpoints that do not answer", "error", err.Error())
	}
	if changed {
		w.log.Info("Endpoints that did not answer have shaken hands with another of their keys", "endpoints", silent)
	}
	return w.crypt.again
}

// silentEndpoints are those that have several keys, and that BFD does not see.
func (w *worker) silentEndpoints() []netip.Addr {
	if w.crypt.config == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var silent []netip.Addr
	for _, p := range w.crypt.config.Peers {
		if len(p.Keys) > 1 && !w.bridgeIs.tunnels[wireguard.Inside(p.Endpoint)].BFD.Forwarding {
			silent = append(silent, p.Endpoint)
		}
	}
	return silent
}
