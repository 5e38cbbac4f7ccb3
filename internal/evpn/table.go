package evpn

import (
	"net/netip"
	"time"
)

// Table decides which routes are followed. It holds no clock and starts nothing: time
// comes as an argument, and who owns it calls one method after the other.
//
//	Received, Session, End   events of a Speaker
//	SetPeers, SetNetwork     what was agreed
//	SetOwn, SetReachable     what the data plane knows
//	SetLocal, DeleteLocal    what is bound here
//	Changes                  what follows from all that
//
// SetPeers comes before the Speaker's, so that no event is of an unknown endpoint.
type Table struct {
	restart time.Duration
	floor   uint32
	// stamp is the number of the last route that arrived, their order.
	stamp       uint64
	own         map[netip.Addr]bool
	peers       map[string]*peer
	endpoints   map[netip.Addr]*endpoint
	networks    map[uint32]*network
	unreachable map[netip.Addr]bool
	// behind are the MACIP routes in use, by VTEP.
	behind map[netip.Addr]map[*route]struct{}
	dirty  dirty
}

// RestartTime is how long the routes of a peer whose session is lost are kept
// (RFC 4724): a speaker is back within seconds, a node that starts again within a
// minute.
const RestartTime = 60 * time.Second

type peer struct {
	PeerPolicy
	members map[uint32]*member
}

// endpoint is one speaker of a peer, with all that it announces: what is not agreed now
// may be later, and is not sent again.
type endpoint struct {
	address netip.Addr
	peer    *peer
	routes  map[ID]*route
	left    map[Reason]int
	// Routes of another generation are stale.
	generation uint32
	// until is when stale ones are dropped; zero where there are none.
	until time.Time
	up    bool
}

type route struct {
	Learned
	from       *endpoint
	stamp      uint64
	generation uint32
	reason     Reason
	// conflict is set where it is bound here.
	conflict    conflict
	unreachable bool
}

func (r *route) via() Via { return Via{VTEP: r.VTEP, Peer: r.from.peer.Name} }

func (r *route) setReason(to Reason) {
	if r.reason != Followed {
		r.from.left[r.reason]--
	}
	if r.reason = to; to != Followed {
		r.from.left[to]++
	}
}

// NewTable returns a table of nothing.
func NewTable() *Table {
	return &Table{
		restart:     RestartTime,
		own:         map[netip.Addr]bool{},
		peers:       map[string]*peer{},
		endpoints:   map[netip.Addr]*endpoint{},
		networks:    map[uint32]*network{},
		unreachable: map[netip.Addr]bool{},
		behind:      map[netip.Addr]map[*route]struct{}{},
		dirty:       newDirty(),
	}
}

// Received takes a route, or its withdrawal.
func (t *Table) Received(address netip.Addr, learned Learned, withdrawn bool) {
	e := t.endpoints[address]
	if e == nil {
		return
	}
	was := e.routes[learned.ID]
	if withdrawn {
		if was != nil {
			t.drop(was)
		}
		return
	}
	if was == nil && len(e.routes) >= e.peer.maxRoutes() {
		e.left[TooManyRoutes]++
		return
	}
	if was != nil && was.Learned == learned {
		was.generation = e.generation
		return
	}
	t.stamp++
	r := &route{Learned: learned, from: e, stamp: t.stamp, generation: e.generation}
	if was != nil {
		// A route that changes keeps its place, and its MAC address too: the new one is
		// there before the old one goes.
		r.stamp = was.stamp
	}
	e.routes[r.ID] = r
	t.network(r.VNI).routes[r] = struct{}{}
	r.setReason(t.verdict(r))
	if r.reason == Followed {
		t.attach(r)
	}
	if was != nil {
		t.remove(was)
	}
}

// drop forgets a route.
func (t *Table) drop(r *route) {
	delete(r.from.routes, r.ID)
	t.remove(r)
}

func (t *Table) remove(r *route) {
	if r.reason == Followed {
		t.detach(r)
	}
	r.setReason(Followed)
	n := t.networks[r.VNI]
	delete(n.routes, r)
	t.forget(n)
}

func (t *Table) dropRoutes(e *endpoint, which func(*route) bool) {
	var gone []*route
	for _, r := range e.routes {
		if which(r) {
			gone = append(gone, r)
		}
	}
	for _, r := range gone {
		t.drop(r)
	}
}

// Session takes that the session with an endpoint is up or down.
func (t *Table) Session(address netip.Addr, up, stale bool, now time.Time) {
	e := t.endpoints[address]
	if e == nil {
		return
	}
	wasUp := e.up
	e.up = up
	switch {
	case up:
		// What is stale waits for End, but not without a limit.
		if !e.until.IsZero() {
			e.until = now.Add(t.restart)
		}
	case !stale:
		e.left[TooManyRoutes] = 0
		e.until = time.Time{}
		t.dropRoutes(e, func(*route) bool { return true })
	case wasUp:
		// What was stale already when the session came up was not confirmed by End: it
		// is not kept a second time (RFC 4724 section 4.2).
		t.dropStale(e)
		e.generation++
		e.until = now.Add(t.restart)
	}
}

// End takes End-of-RIB.
func (t *Table) End(address netip.Addr) {
	if e := t.endpoints[address]; e != nil {
		t.dropStale(e)
	}
}

func (t *Table) dropStale(e *endpoint) {
	if e.until.IsZero() {
		return
	}
	e.until = time.Time{}
	t.dropRoutes(e, func(r *route) bool { return r.generation != e.generation })
}

// Expire drops what is stale for longer than the restart time.
func (t *Table) Expire(now time.Time) {
	for _, e := range t.endpoints {
		if !e.until.IsZero() && !now.Before(e.until) {
			t.dropStale(e)
		}
	}
}

// NextExpiry is when Expire has something to do; zero is never.
func (t *Table) NextExpiry() time.Time {
	var next time.Time
	for _, e := range t.endpoints {
		if !e.until.IsZero() && (next.IsZero() || e.until.Before(next)) {
			next = e.until
		}
	}
	return next
}

// Left says how many routes of an endpoint there are, and how many of them are left out
// for which reason.
func (t *Table) Left(address netip.Addr) (routes int, left map[Reason]int) {
	e := t.endpoints[address]
	if e == nil {
		return 0, nil
	}
	left = map[Reason]int{}
	for r, n := range e.left {
		if n > 0 {
			left[r] = n
		}
	}
	return len(e.routes), left
}
