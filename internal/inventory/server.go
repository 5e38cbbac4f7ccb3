package inventory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"l2sm.io/l2sm/internal/pki"
)

const (
	// headerTimeout is how long a caller may take to say what it wants.
	headerTimeout = 10 * time.Second
	// stopTimeout is how long a request may take to end when the server stops.
	stopTimeout = time.Second
)

// Server serves handlers by TLS to those callers that may have them.
type Server struct {
	// Name that the server's certificate bears.
	Name string
	// TLSDir holds the certificate: see internal/pki. Without, the server signs
	// its own.
	TLSDir string
	// Handlers by their patterns (net/http.ServeMux).
	Handlers map[string]http.Handler
	// Allow is Guard's.
	Allow Allow
}

// Serve serves until ctx ends, and closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	certificate, err := s.certificate()
	if err != nil {
		return errors.Join(fmt.Errorf("make a certificate: %w", err), listener.Close())
	}
	mux := http.NewServeMux()
	for pattern, handler := range s.Handlers {
		mux.Handle(pattern, handler)
	}
	server := &http.Server{Handler: Guard(s.Allow, mux), ReadHeaderTimeout: headerTimeout}
	secure := tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate})
	return ServeUntil(ctx, server, secure)
}

// ServeUntil serves until ctx ends, and closes the listener.
func ServeUntil(ctx context.Context, server *http.Server, listener net.Listener) error {
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // a caller that does not end
		}
		stopped <- err
	}()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	}
	return <-stopped
}

func (s *Server) certificate() (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if s.TLSDir != "" {
		return pki.Serve(s.TLSDir), nil
	}
	now := time.Now()
	authority, err := pki.NewAuthority(s.Name, now)
	if err != nil {
		return nil, err
	}
	pair, err := authority.Endpoint(s.Name, now)
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, err
}
