package ovn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Bounds of the pause between two rounds of futile attempts.
const (
	minBackoff = 25 * time.Millisecond
	maxBackoff = 500 * time.Millisecond
)

// connection keeps a session to one of a database's servers:
//
//	             opened                    ended
//	connecting ──────────> connected ─────────────────┐
//	   ^  └─ refused: next endpoint, a pause a round  │
//	   └──────────────────────────────────────────────┘
//
// libovsdb can reconnect by itself, but then it tells nobody, its Connected
// stays true while the server is down, a transaction made from the contents of
// the old server goes to the new one, an endpoint that swallows packets hides
// those behind it, and to close it while it is disconnected has no effect.
type connection struct {
	cfg    Config
	db     database
	opened func(*session) // told of each session once callers can get it

	cancel context.CancelFunc
	done   chan struct{} // closed when nothing of the connection runs any more

	mu      sync.Mutex
	current *session      // nil: none
	lastErr error         // why there is none
	changed chan struct{} // closed, and replaced, when current changes
}

// dial starts to connect and returns at once. The connection lives until ctx
// is done or it is closed.
func dial(ctx context.Context, cfg Config, db database, opened func(*session)) (*connection, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancel(ctx)
	c := &connection{
		cfg:     cfg,
		db:      db,
		opened:  opened,
		cancel:  cancel,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	go c.run(ctx)
	return c, nil
}

// close ends the connection and waits for that.
func (c *connection) close() {
	c.cancel()
	<-c.done
}

func (c *connection) run(ctx context.Context) {
	defer close(c.done)
	defer c.cancel()

	failures := 0
	for next := 0; ctx.Err() == nil; next++ {
		endpoints := c.cfg.Endpoints
		quiet := failures >= len(endpoints) // who is down was said in the first round
		lasted := c.serve(ctx, endpoints[next%len(endpoints)], quiet)

		failures++
		if lasted > maxBackoff { // a server that drops every connection is no better than none
			failures = 0
		}
		pause(ctx, failures, len(endpoints))
	}
}

// serve connects to one endpoint and returns when that connection has ended:
// how long it lasted, zero when it was not made.
func (c *connection) serve(ctx context.Context, endpoint string, quiet bool) time.Duration {
	log := c.cfg.Logger.WithValues("database", c.db.model.Name(), "endpoint", endpoint)
	s, err := open(ctx, c.cfg, endpoint, c.db)
	if err != nil {
		c.set(nil, err) // it names the endpoint
		if !quiet {
			log.Info("cannot connect", "reason", err.Error())
		}
		return 0
	}

	log.Info("connected")
	began := time.Now()
	c.set(s, nil)
	c.opened(s)
	freed := make(chan struct{})
	go func() { // beside hold, which must not miss the end
		defer close(freed)
		debug.FreeOSMemory() // the tables came in several times the memory of their rows
	}()
	err = s.hold()
	<-freed
	c.set(nil, fmt.Errorf("connection to %s: %w", endpoint, err))
	log.Info("disconnected", "reason", err.Error())
	return time.Since(began)
}

// pause waits after every full round of failures, longer after each.
func pause(ctx context.Context, failures, endpoints int) {
	if failures == 0 || failures%endpoints != 0 {
		return
	}

	limit := maxBackoff
	if rounds := failures / endpoints; rounds < 8 {
		limit = min(minBackoff<<rounds, maxBackoff)
	}
	select {
	case <-ctx.Done():
	case <-time.After(limit/2 + rand.N(limit/2)):
	}
}

// set says which session callers get, or why there is none.
func (c *connection) set(s *session, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.lastErr = s, reason
	close(c.changed)
	c.changed = make(chan struct{})
}

// now returns the session there is. Without one the error is ErrNotConnected
// and says what failed last.
func (c *connection) now() (*session, error) {
	s, _, err := c.state()
	return s, err
}

// wait returns a session as soon as there is one, and what now does when ctx
// is done first.
func (c *connection) wait(ctx context.Context) (*session, error) {
	for {
		s, changed, err := c.state()
		if err == nil {
			return s, nil
		}

		select {
		case <-changed:
		case <-ctx.Done():
			return nil, err
		case <-c.done:
			return nil, err
		}
	}
}

func (c *connection) state() (*session, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.current != nil && c.current.ctx.Err() == nil:
		return c.current, c.changed, nil
	case c.lastErr != nil:
		return nil, c.changed, fmt.Errorf("%w: %w", ErrNotConnected, c.lastErr)
	default:
		return nil, c.changed, ErrNotConnected
	}
}
