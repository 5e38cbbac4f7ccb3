package ovn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// applyTimeout bounds calls whose context has no deadline of its own.
const applyTimeout = 10 * time.Second

// maxConflicts is how often a transaction is made again because somebody else
// was faster.
const maxConflicts = 5

// maxPorts is how many ports one transaction changes at most: ovsdb-server
// serves nobody else while it works on one, 2.9 s with 5,000 ports.
const maxPorts = 1000

// Client makes one northbound database hold networks. Its methods may be
// called by many goroutines at once.
type Client struct {
	conn    *connection
	changes *changes
}

// Dial makes a client and returns at once, without waiting for a server: the
// error tells of a configuration that can never work. The client connects, and
// connects again whenever it has to, until ctx is done or it is closed.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	db, err := northboundDatabase()
	if err != nil {
		return nil, fmt.Errorf("build northbound model: %w", err)
	}

	c := &Client{changes: newChanges()}
	c.conn, err = dial(ctx, cfg, db, c.changes.watch)
	if err != nil {
		return nil, fmt.Errorf("dial northbound database: %w", err)
	}
	go c.changes.report(c.conn)
	return c, nil
}

// Close ends the client. Changes is closed.
func (c *Client) Close() {
	c.conn.close()
}

// Connected says that there is a connection and that it has read the database.
func (c *Client) Connected() bool {
	_, err := c.conn.now()
	return err == nil
}

// Changes tells of networks whose rows are no longer what was applied. It has
// one consumer, which may be slow: what it has not taken yet is kept once,
// however often it happens. The channel is closed when the client ends.
func (c *Client) Changes() <-chan Change {
	return c.changes.out
}

// Networks returns the networks that have a switch or DHCP_Options in the
// database, in order.
// Without a connection the error is [ErrNotConnected].
func (c *Client) Networks() ([]Key, error) {
	s, err := c.conn.now()
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	return replicaOf(s).networks(), nil
}

// Apply makes the database hold exactly this network: its switch, its ports
// and no other ports of ours on that switch, its DHCP_Options. It takes one
// transaction per 1,000 ports that differ, and none when nothing differs. It may
// be repeated, and it may be called for different networks at once. To tell what
// others change it remembers fingerprints of the network, which stays the
// caller's.
//
// A port that is on another switch is moved, and its row kept. So when an
// attachment changes its network, apply the new network: the old one, if it is
// applied before, must name the port among those that are leaving.
//
// Without a connection Apply waits for one until ctx is done, 10 s per
// transaction when ctx has no deadline; the error then is [ErrNotConnected]. A
// [ForeignError] says that another's row is in the way. With an error some of
// the transactions may have been committed.
func (c *Client) Apply(ctx context.Context, n Network) (Result, error) {
	if err := n.validate(); err != nil {
		return Result{}, fmt.Errorf("apply network: %w", err)
	}

	defer c.changes.expect(n)()
	result, _, err := c.converge(ctx, target{Network: n})
	if err != nil {
		return Result{}, fmt.Errorf("apply network %q: %w", n.Key, err)
	}
	return result, nil
}

// converge makes the database hold the target, and says whether something has
// changed that every port carries.
func (c *Client) converge(ctx context.Context, t target) (result Result, wide bool, err error) {
	for more := true; more; {
		var plan Plan
		err := c.commit(ctx, func(r replica) ([]ovsdb.Operation, error) {
			actual, err := r.state(t)
			if err != nil {
				return nil, err
			}
			plan, err = Diff(t.Network, actual)
			plan, more = plan.limit(maxPorts)
			return plan.operations(), err
		})
		if err != nil {
			return Result{}, false, err
		}
		plan.addTo(&result)
		wide = wide || plan.wide
	}
	return result, wide, nil
}

// Delete removes the network's switch, the ports on it and its DHCP_Options, in
// one transaction, and does nothing when there are none. A foreign switch of that name stays.
// Waiting and errors are as with [Client.Apply].
func (c *Client) Delete(ctx context.Context, key Key) error {
	defer c.changes.forget(key)()

	err := c.commit(ctx, func(r replica) ([]ovsdb.Operation, error) {
		return r.deletion(key)
	})
	if err != nil {
		return fmt.Errorf("delete network %q: %w", key, err)
	}
	return nil
}

// commit transacts what decide makes of the database's contents, and has it
// decide again when they turn out to have changed. This is the only place that
// writes to the database.
func (c *Client) commit(ctx context.Context, decide func(replica) ([]ovsdb.Operation, error)) error {
	ctx, cancel := bounded(ctx)
	defer cancel()

	for conflicts := 0; ; {
		s, err := c.conn.wait(ctx)
		if err != nil {
			return err
		}
		ops, err := decide(replicaOf(s))
		if err != nil || len(ops) == 0 {
			return err
		}

		err = s.transact(ctx, ops)
		switch {
		case errors.Is(err, ErrNotConnected): // until ctx is done
		case errors.Is(err, errConflict) && conflicts < maxConflicts:
			conflicts++
		default:
			return err
		}
	}
}

// bounded gives the context a deadline, unless it has one.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, applyTimeout)
}
