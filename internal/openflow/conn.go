package openflow

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// Conn is a connection to one bridge. Its methods may be called from any goroutine; calls
// are one after the other. It never connects again: whoever made it does, and writes
// everything again, since a switch that was restarted has no flows.
type Conn struct {
	socket net.Conn
	log    logr.Logger
	turn   chan struct{} // holds one token: whoever has it makes a call
	done   chan struct{} // closed when the connection has ended
	echoes chan []byte

	// xid and bundle are those given last. They belong to the caller whose turn it is.
	xid, bundle uint32

	mu      sync.Mutex
	why     error     // the connection has ended
	pending *exchange // of the call under way
}

// Dial connects to the management socket of a bridge, such as
// /run/openvswitch/br-edge.mgmt.
func Dial(ctx context.Context, path string, log logr.Logger) (*Conn, error) {
	c, err := dial(ctx, path, log)
	if err != nil {
		return nil, fmt.Errorf("speak OpenFlow at %q: %w", path, err)
	}
	return c, nil
}

func dial(ctx context.Context, path string, log logr.Logger) (*Conn, error) {
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		socket: socket, log: log,
		turn: make(chan struct{}, 1), done: make(chan struct{}), echoes: make(chan []byte, 1),
	}
	c.turn <- struct{}{}
	go c.answerEchoes()
	hello := make(chan struct{})
	go c.read(hello)
	if err := c.greet(ctx, hello); err != nil {
		c.end(err)
		return nil, err
	}
	return c, nil
}

// greet agrees on the version: the lower one of both sides' (section 6.3.1), so the
// switch's must be no lower than ours.
func (c *Conn) greet(ctx context.Context, hello <-chan struct{}) error {
	first, err := message(typeHello, 0, nil)
	if err != nil {
		return err
	}
	if err := c.write(ctx, first); err != nil {
		return err
	}
	select {
	case <-hello:
		return nil
	case <-c.done:
		return c.ended()
	case <-ctx.Done():
		return fmt.Errorf("wait for its hello: %w", context.Cause(ctx))
	}
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection.
func (c *Conn) Close() { c.end(errClosed) }

var errClosed = errors.New("the connection was closed")

// end ends the connection; the first reason stays.
func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.why = why
	_ = c.socket.Close()
	close(c.done)
}

// ended is why the connection has ended.
func (c *Conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("the connection has ended: %w", c.why)
}

// write sends bytes whole, or ends the connection: after a part of a message nothing that
// follows can be understood.
func (c *Conn) write(ctx context.Context, b []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := c.socket.Write(b)
	if !stop() {
		err = fmt.Errorf("write: %w", context.Cause(ctx))
	}
	if err != nil {
		c.end(err)
		return c.ended()
	}
	return nil
}

// read takes what comes, until the connection ends.
func (c *Conn) read(hello chan<- struct{}) {
	in := bufio.NewReaderSize(c.socket, maxLength)
	greeted := false
	for {
		kind, xid, body, err := readMessage(in)
		if err != nil {
			c.end(err)
			return
		}
		switch kind {
		case typeHello:
			if !greeted {
				greeted = true
				close(hello)
			}
		case typeEchoRequest:
			c.queueEcho(xid, body)
		default:
			c.deliver(kind, xid, body)
		}
	}
}

// readMessage reads one; its body holds until the next. A switch that speaks a lower
// version says so in the header of its hello.
func readMessage(in *bufio.Reader) (kind uint8, xid uint32, body []byte, err error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return 0, 0, nil, fmt.Errorf("read: %w", err)
	}
	length := be.Uint16(header[2:])
	if length < headerLength {
		return 0, 0, nil, fmt.Errorf("read: a message of %d bytes", length)
	}
	if header[0] < version {
		return 0, 0, nil, fmt.Errorf("the switch speaks version %d of the protocol, and %d is needed (1.5): let protocols of its Bridge contain OpenFlow15", header[0], version)
	}
	body = make([]byte, length-headerLength)
	if _, err := io.ReadFull(in, body); err != nil {
		return 0, 0, nil, fmt.Errorf("read: %w", err)
	}
	return header[1], be.Uint32(header[4:]), body, nil
}

// queueEcho leaves the answer to answerEchoes: a reader that waits to write would hold up
// a writer whose switch waits to be read. While one is to be sent, another says no more.
func (c *Conn) queueEcho(xid uint32, body []byte) {
	reply, err := message(typeEchoReply, xid, body)
	if err != nil {
		return // it came in a message, so it fits into one
	}
	select {
	case c.echoes <- reply:
	default:
	}
}

func (c *Conn) answerEchoes() {
	for {
		select {
		case reply := <-c.echoes:
			if _, err := c.socket.Write(reply); err != nil {
				c.end(fmt.Errorf("answer an echo request: %w", err))
				return
			}
		case <-c.done:
			return
		}
	}
}
