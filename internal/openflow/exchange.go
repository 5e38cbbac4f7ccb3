package openflow

import (
	"context"
	"fmt"
)

// exchange is one call's messages, and what the switch answers.
type exchange struct {
	// first is the first transaction of its messages: what comes with one before it is of a
	// call that gave up.
	first uint32
	// awaited is the transaction whose answer ends the wait; answered tells of it.
	awaited  uint32
	answered chan struct{}
	// refused are the errors: the first ones, and how many there were.
	refused []refusal
	count   int
	// part takes the body of one multipart reply.
	part func(body []byte) error
	bad  error // what part returned first
}

type refusal struct {
	xid        uint32
	kind, code uint16
}

// mostRefusals is how many errors of one exchange are kept: one names the reason, and the
// rest follows from it or is like it. Of meters every one is acted on.
const mostRefusals = 1 << 16

// begin waits for the caller's turn. The function that it returns ends it.
func (c *Conn) begin(ctx context.Context) (func(), error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case <-c.turn:
		return func() { c.turn <- struct{}{} }, nil
	case <-c.done:
		return nil, c.ended()
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("wait for other calls: %w", context.Cause(ctx))
}

// next numbers a message.
func (c *Conn) next() uint32 {
	c.xid++
	return c.xid
}

// chunk is how many bytes are written at once.
const chunk = 1 << 16

// batch collects the messages of an exchange and writes them in chunks.
type batch struct {
	conn *Conn
	ctx  context.Context //nolint:containedctx // a batch lives no longer than the call that it is of
	buf  []byte
}

func (b *batch) add(m []byte) error {
	b.buf = append(b.buf, m...)
	if len(b.buf) < chunk {
		return nil
	}
	return b.flush()
}

// last adds the last message and writes what is left.
func (b *batch) last(kind uint8, xid uint32, body []byte) error {
	m, err := message(kind, xid, body)
	if err != nil {
		return err
	}
	b.buf = append(b.buf, m...)
	return b.flush()
}

func (b *batch) flush() error {
	err := b.conn.write(b.ctx, b.buf)
	b.buf = b.buf[:0]
	return err
}

// request is what an exchange asks: what fill adds, then a last message, whose answer ends
// it.
type request struct {
	fill func(*batch) error
	kind uint8
	body []byte
	// since is the first transaction that answers may carry, where it is none of this
	// exchange's own.
	since uint32
	// part takes the body of each multipart reply.
	part func(body []byte) error
}

// exchange sends a request and returns when it is answered. What the switch refused is in
// the result.
func (c *Conn) exchange(ctx context.Context, r request) (*exchange, error) {
	x := &exchange{first: c.xid + 1, part: r.part, answered: make(chan struct{}, 1)}
	if r.since != 0 {
		x.first = r.since
	}
	c.expect(x)
	defer c.expect(nil)
	b := &batch{conn: c, ctx: ctx}
	if r.fill != nil {
		if err := r.fill(b); err != nil {
			return nil, err
		}
	}
	xid := c.next()
	c.await(x, xid)
	if err := b.last(r.kind, xid, r.body); err != nil {
		return nil, err
	}
	select {
	case <-x.answered:
		return x, x.bad
	case <-c.done:
		return nil, c.ended()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the switch: %w", context.Cause(ctx))
	}
}

func (c *Conn) await(x *exchange, xid uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x.awaited = xid
}

func (c *Conn) expect(x *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = x
}

// deliver gives a message to the exchange that it answers. Others are not for us.
func (c *Conn) deliver(kind uint8, xid uint32, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.pending
	if x == nil || xid-x.first >= 1<<31 { // numbers go round
		return
	}
	switch kind {
	case typeError:
		x.refuse(xid, body)
	case typeMultipartReply:
		if more := x.take(body); more {
			return
		}
	case typeBarrierReply, typeBundleControl:
	default:
		return
	}
	if xid != x.awaited {
		return
	}
	select {
	case x.answered <- struct{}{}:
	default:
	}
}

func (x *exchange) refuse(xid uint32, body []byte) {
	x.count++
	if len(body) < 4 || len(x.refused) >= mostRefusals {
		return
	}
	x.refused = append(x.refused, refusal{xid: xid, kind: be.Uint16(body), code: be.Uint16(body[2:])})
}

// take gives a multipart reply's body to part, and says whether another follows
// (OFPMPF_REPLY_MORE).
func (x *exchange) take(body []byte) (more bool) {
	if len(body) < 8 {
		x.bad = fmt.Errorf("a multipart reply of %d bytes", len(body))
		return false
	}
	if x.part != nil && x.bad == nil {
		x.bad = x.part(body[8:])
	}
	return be.Uint16(body[2:])&1 != 0
}
