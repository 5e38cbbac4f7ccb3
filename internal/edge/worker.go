package edge

import (
	"context"
	"errors"
	"time"

	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/openflow"
	"l2sm.io/l2sm/internal/wireguard"
)

// writeWithin bounds one write of flows, beside writeEach for each: 10,000 take a third of a
// second.
const (
	writeWithin = 5 * time.Second
	writeEach   = time.Millisecond
)

// worker writes flows and announces. Its fields belong to its goroutine.
type worker struct {
	*Edge
	// swept says that the flows of this program's predecessor are gone, stale that some of a
	// former connection may be there: what a round was about to delete when it failed.
	swept, stale bool
	// follows is where MAC addresses are, placed the flows that say so.
	follows map[hostKey]evpn.Via
	placed  map[hostKey]placed
	retry   time.Duration
	// owed are routes whose withdrawal may have failed.
	owed []evpn.RouteKey
	// settled says that all is as the speaker's settings have it, retired that this node has
	// nothing of an edge.
	settled, retired bool
	crypt            encryption
}

// work writes what has changed until ctx ends. Every failure but a refusal comes with the
// end of a connection: then everything is written again.
func (e *Edge) work(ctx context.Context) error {
	w := &worker{
		Edge: e, follows: map[hostKey]evpn.Via{}, placed: map[hostKey]placed{},
		crypt: encryption{device: wireguard.New(e.log.WithName("wireguard"))},
	}
	defer w.close()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		if next := w.round(ctx); next > 0 {
			again.Reset(next)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.dirty.wake:
		case <-w.lost():
			w.close()
		case <-again.C:
		}
	}
}

// lost is closed when the connection to br-edge has ended.
func (w *worker) lost() <-chan struct{} {
	if w.conn == nil {
		return nil
	}
	return w.conn.Done()
}

// close forgets the connection, and what was written by it: a bridge that comes back has
// nothing of it.
func (w *worker) close() {
	if w.conn == nil {
		return
	}
	w.conn.Close()
	w.crypt.addressed = false
	w.mu.Lock()
	w.conn, w.bridgeIs.alive = nil, time.Time{}
	w.mu.Unlock()
}

// round does all that there is to do, and says when it has to come again by itself.
func (w *worker) round(ctx context.Context) time.Duration {
	if err := w.settle(ctx); err != nil {
		return w.failed(err)
	}
	if w.speaker == nil {
		return 0 // this node is no edge, as far as is known
	}
	if err := w.connect(ctx); err != nil {
		return w.failed(err)
	}
	p := w.plan()
	p.withdraw = append(p.withdraw, w.owed...)
	if err := w.act(ctx, p); err != nil {
		w.owe(p)
		return w.failed(err)
	}
	w.owed = nil
	w.retry = 0
	w.tell("")
	return earlier(earlier(w.sweep(ctx), w.expiry()), w.choose(ctx))
}

// expiry is when routes of a peer that is restarting are to be forgotten.
func (w *worker) expiry() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := w.table.NextExpiry(); !at.IsZero() {
		return max(time.Until(at), time.Millisecond)
	}
	return 0
}

// earlier is the shorter one of two waits, of which zero is none.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// owe has all be announced again, and what was to be withdrawn, of which some may be.
func (w *worker) owe(p plan) {
	w.owed = p.withdraw
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.byVNI {
		clear(n.announced)
	}
}

// failed logs, has all be written again, and says when.
func (w *worker) failed(err error) time.Duration {
	if w.retry == 0 { // the others of a row say the same
		w.log.Info("Cannot bring the edge in line yet; trying again", "error", err.Error())
	}
	w.close()
	w.tell(err.Error())
	// In small steps: an ovs-vswitchd that is back should not wait as long again for its flows.
	w.retry = min(max(w.retry*5/4, 20*time.Millisecond), 2*time.Second)
	return w.retry
}

// tell has L2Peers say what keeps this edge from its work, empty for nothing.
func (w *worker) tell(trouble string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trouble == trouble {
		return
	}
	w.trouble = trouble
	w.reportAll()
}

// connect connects to br-edge, and then has every flow written.
func (w *worker) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	conn, err := openflow.Dial(ctx, w.socket(), w.log.WithName("openflow"))
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.cookies.renew()
	w.mu.Unlock()
	// What comes by a tunnel and has no flow is counted.
	refuse := openflow.Flow{Key: openflow.Key{Table: tableIn, Priority: priorityRest}}
	if err := conn.Apply(ctx, []openflow.Change{openflow.PutFlow{Flow: refuse, Cookie: w.cookies.refused()}}); err != nil {
		conn.Close()
		return err
	}
	w.stale = true
	clear(w.placed)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.bridgeIs.alive, w.meters = conn, time.Now(), newMeters()
	for _, n := range w.byVNI {
		clear(n.base)
	}
	w.dirty.all = true
	return nil
}

// act withdraws, writes flows, and announces: a stale route loses frames, and what is
// announced comes at once.
func (w *worker) act(ctx context.Context, p plan) error {
	var failures []error
	for _, key := range p.withdraw {
		failures = append(failures, w.speaker.withdraw(ctx, key))
	}
	if len(p.flows) > 0 {
		bounded, cancel := context.WithTimeout(ctx, writeWithin+writeEach*time.Duration(len(p.flows)))
		defer cancel()
		if err := w.conn.Apply(bounded, p.flows); err != nil {
			return errors.Join(append(failures, err)...)
		}
	}
	for _, r := range p.announce {
		failures = append(failures, w.speaker.announce(ctx, r))
	}
	return errors.Join(failures...)
}
