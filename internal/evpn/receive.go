package evpn

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

const (
	// maxAttributes is how many bytes of attributes a route may have. Ours has about
	// 80, a fabric's with two route targets and a reflector's list less than 200; an
	// extended BGP message has room for 64 KiB in each of an endpoint's routes.
	maxAttributes = 2048
	// checkRoutes is after how many announcements GoBGP is asked how many routes it
	// holds of an endpoint. Its own limit counts all of them at each message.
	checkRoutes = 4096
	// closedFor is how long the session with an endpoint that asks for more than its
	// share is closed.
	closedFor = time.Minute
)

// session is what Events were told of an endpoint.
type session struct {
	up, stale bool
	why       string
	// announced counts since GoBGP was asked last.
	announced int
	// closed is set until the session ends that we close ourselves.
	closed string
}

func (s *GoBGP) session(a netip.Addr) *session {
	if s.sessions[a] == nil {
		s.sessions[a] = &session{}
	}
	return s.sessions[a]
}

// watch has GoBGP tell what it sees, in order and one after the other. GoBGP queues
// without a limit; so we hold no queue of our own, and are fast.
func (s *GoBGP) watch(ctx context.Context) error {
	return s.server.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnPathUpdate: func(paths []*apiutil.Path, _ time.Time) {
			for _, p := range paths {
				s.received(ctx, p)
			}
		},
		OnPathEor: func(p *apiutil.Path, _ time.Time) {
			if p.Family == bgp.RF_EVPN {
				s.events.End(p.PeerAddress.Unmap())
			}
		},
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, _ time.Time) {
			if e.Type == apiutil.PEER_EVENT_STATE {
				s.changed(e.Peer.State)
			}
		},
		// What an endpoint announces, not what GoBGP thinks best: one could hide another's
		// route by the same NLRI.
	}, server.WatchUpdate(false, "", ""), server.WatchEor(false), server.WatchPeer())
}

func (s *GoBGP) received(ctx context.Context, p *apiutil.Path) {
	endpoint := p.PeerAddress.Unmap()
	id, label, why := identify(p.Nlri)
	if why != "" {
		s.counts.drop(endpoint, why)
		s.weigh(ctx, endpoint, p)
		return
	}
	if p.Withdrawal {
		s.events.Received(endpoint, Learned{ID: id}, true)
		return
	}
	l, why := learn(id, label, p.Attrs, s.config.ASN)
	if why != "" {
		s.counts.drop(endpoint, why)
		// It is in the place of what was announced before.
		s.events.Received(endpoint, Learned{ID: id}, true)
	} else {
		s.events.Received(endpoint, l, false)
	}
	s.weigh(ctx, endpoint, p)
}

// weigh closes the session of an endpoint that asks for more memory than is its
// share: GoBGP holds all that it announces.
func (s *GoBGP) weigh(ctx context.Context, endpoint netip.Addr, p *apiutil.Path) {
	e := s.session(endpoint)
	if p.Withdrawal || e.closed != "" {
		return
	}
	size := 0
	for _, a := range p.Attrs {
		size += a.Len()
	}
	if size > maxAttributes {
		s.counts.drop(endpoint, DropSize)
		s.close(ctx, endpoint, e, fmt.Sprintf("a route has more than %d bytes of attributes", maxAttributes))
		return
	}
	limit := s.counts.limitOf(endpoint)
	if e.announced++; e.announced < min(checkRoutes, limit+1) {
		return
	}
	e.announced = 0
	table, err := s.server.GetTable(ctx, &api.GetTableRequest{TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: endpoint.String(), Family: family()})
	if err == nil && table.NumPath > uint64(limit) {
		s.close(ctx, endpoint, e, fmt.Sprintf("it announces more than %d routes", limit))
	}
}

func (s *GoBGP) close(ctx context.Context, endpoint netip.Addr, e *session, why string) {
	e.closed = why
	address := endpoint.String()
	s.log.Info("the session is closed for a minute", "endpoint", address, "reason", why)
	if err := s.server.DisablePeer(ctx, &api.DisablePeerRequest{Address: address, Communication: why}); err != nil {
		// It was deleted meanwhile.
		s.log.V(1).Info("close a session", "endpoint", address, "error", err.Error())
		return
	}
	time.AfterFunc(closedFor, func() {
		if err := s.server.EnablePeer(ctx, &api.EnablePeerRequest{Address: address}); err != nil {
			s.log.V(1).Info("open a session again", "endpoint", address, "error", err.Error())
		}
	})
}

// changed tells of a session's state. GoBGP tells of each step of its state machine;
// most say nothing new.
func (s *GoBGP) changed(state apiutil.PeerState) {
	endpoint := state.NeighborAddress.Unmap()
	e := s.session(endpoint)
	was := *e
	e.why = why(state)
	switch {
	case state.SessionState == bgp.BGP_FSM_ESTABLISHED:
		e.up, e.stale, e.why, e.announced = true, false, "", 0
	case was.up:
		e.up = false
		e.stale = state.DisconnectReason == api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART
		if e.closed != "" {
			e.why, e.closed = "closed for a minute: "+e.closed, ""
		}
	case state.DisconnectReason == api.PeerState_DISCONNECT_REASON_RESTART_TIMER_EXPIRED, removed(state):
		e.stale = false
	case !tells(state.DisconnectReason):
		e.why = was.why
	}
	if e.up != was.up || e.stale != was.stale || e.why != was.why {
		s.events.Session(endpoint, e.up, e.stale, e.why)
	}
	if removed(state) {
		delete(s.sessions, endpoint)
	}
}

// removed says that the neighbor was deleted. GoBGP gives no reason for that, and for
// every other state it has one, though not always one of its API.
func removed(state apiutil.PeerState) bool {
	return state.SessionState == bgp.BGP_FSM_IDLE && state.DisconnectMessage == ""
}

// tells says whether a session that does not come up says why with this reason.
func tells(r api.PeerState_DisconnectReason) bool {
	switch r {
	case api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT,
		api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED,
		api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED,
		api.PeerState_DISCONNECT_REASON_INVALID_MSG,
		api.PeerState_DISCONNECT_REASON_BAD_PEER_AS:
		return true
	}
	return false
}

func why(state apiutil.PeerState) string {
	if removed(state) {
		return "no peer any more"
	}
	switch state.DisconnectReason {
	case api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART:
		return "the connection is lost, its routes are kept until it is back"
	case api.PeerState_DISCONNECT_REASON_RESTART_TIMER_EXPIRED:
		return "it did not come back within its restart time"
	case api.PeerState_DISCONNECT_REASON_BAD_PEER_AS:
		return "it has another ASN"
	}
	return state.DisconnectMessage
}
