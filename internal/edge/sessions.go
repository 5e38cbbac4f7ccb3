package edge

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
)

// session is what is known of one with an endpoint.
type session struct {
	established bool
	why         string
	// ended says that its End-of-RIB has come since this program started: all that it
	// announces is known.
	ended bool
}

// events are what the speaker tells.
type events struct{ *Edge }

// Received takes a route (evpn.Events).
func (e events) Received(endpoint netip.Addr, route evpn.Learned, withdrawn bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.table.Received(endpoint, route, withdrawn)
	e.dirty.kick()
}

// Session follows one (evpn.Events).
func (e events) Session(endpoint netip.Addr, up, stale bool, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sessions[endpoint]
	if up || s.established { // not each attempt
		e.log.Info("BGP session", "endpoint", endpoint, "established", up, "keepsRoutes", stale, "why", why)
	}
	s.established, s.why = up, why
	e.sessions[endpoint] = s
	e.table.Session(endpoint, up, stale, time.Now())
	e.dirty.kick()
	e.reportOf(endpoint)
}

// End follows End-of-RIB (evpn.Events).
func (e events) End(endpoint netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.table.End(endpoint)
	s := e.sessions[endpoint]
	first := !s.ended
	s.ended = true
	e.sessions[endpoint] = s
	if first {
		e.touchAll()
		for _, n := range e.networks {
			e.writeRemotesOf(n)
		}
	}
	e.dirty.kick()
	e.reportOf(endpoint)
}

// forgetSessions is for a speaker that has ended.
func (e *Edge) forgetSessions() {
	for endpoint := range e.sessions {
		e.table.Session(endpoint, false, false, time.Now())
	}
	clear(e.sessions)
}

func (e *Edge) reportOf(endpoint netip.Addr) {
	r := e.reach()
	for _, p := range e.cache.L2Peers() {
		for _, one := range r.endpoints(p) {
			if one.at == endpoint {
				e.reports.Queue.AddAfter(p.Name, statusPace)
			}
		}
	}
}

// heard says whether the peer has said all that it announces, or can't be waited for.
func (e *Edge) heard(peer string) bool {
	if time.Since(e.began) > patience {
		return true
	}
	p := e.cache.L2Peer(peer)
	if p == nil {
		return true
	}
	for _, one := range e.reach().endpoints(p) {
		if e.sessions[one.at].ended {
			return true
		}
	}
	return false
}

// mayWrite says whether the network's own flows may be written: before, those of this
// program's predecessor are right, and ours would flood to nobody.
func (w *worker) mayWrite(n *network) bool {
	if w.swept {
		return true
	}
	for _, peer := range n.peers {
		if !w.heard(peer) {
			return false
		}
	}
	return true
}

// sweep takes away what is left of the flows of a predecessor or of a former connection,
// when all is written that there is, and says when to look again.
func (w *worker) sweep(ctx context.Context) time.Duration {
	w.peer(ctx)
	if w.swept && !w.stale {
		return 0
	}
	w.mu.Lock()
	ready := w.bridgeIs.synced && (w.swept || w.filled && w.speaker != nil && w.speaker.peered)
	for _, p := range w.cache.L2Peers() {
		ready = ready && w.heard(p.Name)
	}
	w.mu.Unlock()
	if !ready {
		return max(patience-time.Since(w.began), 0) + time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	if err := w.conn.Sweep(ctx, w.cookies.generation, generationMask); err != nil {
		return w.failed(err)
	}
	w.stale = false
	if w.swept {
		return 0
	}
	w.swept = true
	w.log.Info("All peers have said what they announce, or did not answer; what was left of earlier flows is gone")
	w.mu.Lock()
	w.touchAll()
	w.mu.Unlock()
	return 0
}

// sessionsOf are those of a peer. The caller holds mu.
func (e *Edge) sessionsOf(p *v1alpha1.L2Peer) []v1alpha1.PeerSession {
	var all []v1alpha1.PeerSession
	_, missing := e.passwordOf(p)
	for _, one := range e.reach().endpoints(p) {
		s := e.sessions[one.at]
		told := v1alpha1.PeerSession{Address: one.name, Established: s.established}
		if !s.established {
			told.Message = s.why
		}
		routes, _ := e.table.Left(one.at)
		told.Received = int32(routes)
		if s.established && e.speaker != nil {
			told.Sent = int32(e.speaker.Sent(p.Name))
		}
		if t, is := e.bridgeIs.tunnels[one.at]; is && p.Spec.Type != v1alpha1.PeerFabric {
			up := t.BFD.Forwarding
			told.Reachable = &up
			if t.Error != "" {
				told.Message = "tunnel: " + t.Error
			}
		}
		switch why := e.whyNot(p.Name, one); {
		case why != "":
			told = v1alpha1.PeerSession{Address: one.name, Message: why} // the session is another peer's
		case s.established:
		case e.trouble != "":
			told.Message = "the edge can't work: " + e.trouble
		}
		if missing {
			told.Message = fmt.Sprintf("Secret %s/%s has no key %s: create it", v1alpha1.EdgeNamespace, p.Spec.PasswordSecretRef.Name, v1alpha1.PasswordKey)
		}
		if len(told.Message) > maxMessage {
			told.Message = told.Message[:maxMessage]
		}
		all = append(all, told)
	}
	return all
}

// whyNot says why there is no session with an endpoint whatever it does. The caller holds mu.
func (e *Edge) whyNot(peer string, one endpoint) string {
	for line := range strings.Lines(e.refused) {
		if why, is := strings.CutPrefix(line, "peer "+peer+": "); is {
			return strings.TrimSpace(why)
		}
	}
	if one.why != "" || e.speaker == nil {
		return one.why
	}
	return e.speaker.settings.clashes[one.outside]
}

// maxMessage is the longest that the API admits, in bytes.
const maxMessage = 512

// networksOf are those that the peer announces. The caller holds mu.
func (e *Edge) networksOf(peer string) []v1alpha1.PeerNetwork {
	var all []v1alpha1.PeerNetwork
	for _, vni := range sorted(e.byVNI) {
		n := e.byVNI[vni]
		s := e.table.Status(peer, vni)
		if !s.Joined {
			continue
		}
		all = append(all, v1alpha1.PeerNetwork{
			ID: int32(vni), Namespace: n.object.Namespace, Name: n.object.Name,
			MACs: int32(s.MACs), Refused: int32(s.Refused), VTEPsRefused: int32(s.VTEPsRefused), MTU: int32(s.MTU), Conflict: s.Conflict,
		})
	}
	return all
}
