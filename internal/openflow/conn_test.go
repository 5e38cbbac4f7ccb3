package openflow

import (
	"bufio"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// speak answers a connection as no good switch does: it sends bytes and hands over what it
// reads.
func speak(t *testing.T, first []byte, with func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mgmt")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write(first); err != nil {
			return
		}
		with(conn, bufio.NewReader(conn))
	}()
	return path
}

func send(t *testing.T, kind uint8, xid uint32, body []byte) []byte {
	t.Helper()
	m, err := message(kind, xid, body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// drain reads until the other side has closed.
func drain(_ net.Conn, in *bufio.Reader) {
	for {
		if _, _, _, err := readMessage(in); err != nil {
			return
		}
	}
}

func TestDialFails(t *testing.T) {
	old := send(t, typeHello, 1, nil)
	old[0] = 4
	short := send(t, typeHello, 1, nil)
	short[3] = 3
	cases := map[string]struct {
		reason string
		first  []byte
		want   string
	}{
		"OldVersion": {"a switch that speaks 1.3 at most", old, "OpenFlow15"},
		"NoMessage":  {"a length that no message has", short, "3 bytes"},
		"Silence":    {"a switch that hangs", nil, context.DeadlineExceeded.Error()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			c, err := Dial(ctx, speak(t, tc.first, drain), logr.Discard())
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Dial = %v, want an error that says %q", tc.reason, err, tc.want)
			}
		})
	}
}

func dialed(t *testing.T, path string) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), path, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCallsEndWithTheConnection(t *testing.T) {
	hello := send(t, typeHello, 1, nil)
	c := dialed(t, speak(t, hello, func(conn net.Conn, in *bufio.Reader) {
		for {
			if kind, _, _, err := readMessage(in); err != nil || kind == typeBarrierRequest {
				return
			}
		}
	}))
	if err := c.Apply(t.Context(), []Change{DeleteFlow{}}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Apply on a connection that ends = %v", err)
	}
	select {
	case <-c.Done():
	case <-time.After(5 * time.Second):
		t.Error("Done is not closed")
	}
	if err := c.Apply(t.Context(), []Change{DeleteFlow{}}); err == nil {
		t.Error("Apply on a connection that has ended succeeds")
	}
}

// A call that gave up leaves answers behind: the next must not take them for its own.
func TestLateAnswers(t *testing.T) {
	release := make(chan struct{})
	c := dialed(t, speak(t, send(t, typeHello, 1, nil), func(conn net.Conn, in *bufio.Reader) {
		held := false
		for {
			kind, xid, body, err := readMessage(in)
			if err != nil {
				return
			}
			answer := typeBarrierReply
			switch kind {
			case typeBarrierRequest:
				if !held {
					held = true
					<-release
					_, _ = conn.Write(send(t, typeError, xid, []byte{0, 1, 0, 2}))
				}
			case typeBundleControl:
				if be.Uint16(body[4:]) == bundleOpen {
					continue
				}
				answer = typeBundleControl
			default:
				continue
			}
			_, _ = conn.Write(send(t, uint8(answer), xid, nil))
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Apply(ctx, []Change{DeleteFlow{}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Apply on a switch that hangs = %v, want the deadline", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	if err := c.Apply(t.Context(), []Change{DeleteFlow{}}); err != nil {
		t.Errorf("Apply after one that gave up = %v", err)
	}
}

func TestEchoes(t *testing.T) {
	answered := make(chan string, 1)
	dialed(t, speak(t, append(send(t, typeHello, 1, nil), send(t, typeEchoRequest, 77, []byte("are you there"))...), func(_ net.Conn, in *bufio.Reader) {
		for {
			kind, xid, body, err := readMessage(in)
			if err != nil {
				return
			}
			if kind == typeEchoReply && xid == 77 {
				answered <- string(body)
			}
		}
	}))
	select {
	case got := <-answered:
		if got != "are you there" {
			t.Errorf("an echo came back as %q", got)
		}
	case <-time.After(5 * time.Second):
		t.Error("an echo request is not answered")
	}
}
