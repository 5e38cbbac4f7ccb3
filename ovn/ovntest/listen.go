package ovntest

import (
	"net"
	"strings"
	"testing"
	"time"
)

// Option changes how a server listens.
type Option func(*Server)

// WithTCP makes the server listen on a TCP port of the loopback interface.
func WithTCP() Option {
	return func(s *Server) {
		address := freeAddress(s.t)
		s.endpoint = "tcp:" + address
		s.args = []string{"--remote=ptcp:" + passive(address)}
	}
}

// WithTLS makes the server listen for TLS on a port of the loopback interface.
// The files are PEM: the server's key and certificate, and the CA that must
// have signed its clients' certificates.
func WithTLS(key, certificate, ca string) Option {
	return func(s *Server) {
		address := freeAddress(s.t)
		s.endpoint = "ssl:" + address
		s.args = []string{
			"--remote=pssl:" + passive(address),
			"--private-key=" + key, "--certificate=" + certificate, "--ca-cert=" + ca,
		}
	}
}

// freeAddress returns "127.0.0.1:PORT" with a port that is not in use.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("release a free port: %v", err)
	}
	return l.Addr().String()
}

// passive turns HOST:PORT into the PORT:HOST of ovsdb(7)'s passive connections.
func passive(address string) string {
	host, port, _ := strings.Cut(address, ":")
	return port + ":" + host
}

// awaitListening returns when the server accepts connections.
func (s *Server) awaitListening() {
	s.t.Helper()
	network, address, _ := strings.Cut(s.endpoint, ":")
	if network == "ssl" {
		network = "tcp"
	}

	deadline := time.Now().Add(timeout)
	for time.Now().Before(deadline) {
		conn, err := net.Dial(network, address)
		if err == nil {
			_ = conn.Close() // nothing was sent
			return
		}
		select {
		case <-s.process.done:
			s.t.Fatalf("ovsdb-server has ended:\n%s", s.process.output.String())
		case <-time.After(time.Millisecond):
		}
	}
	s.t.Fatalf("ovsdb-server did not listen on %s in %s", s.endpoint, timeout)
}
