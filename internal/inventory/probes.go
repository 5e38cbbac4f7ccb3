package inventory

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// NoAddress stands, in the place of an address, for no server.
const NoAddress = "0"

// probeTimeout bounds a probe's request.
const probeTimeout = 5 * time.Second

// ServeProbes answers the kubelet at an address until ctx ends: /healthz says that the
// program runs, /readyz what ready says.
func ServeProbes(ctx context.Context, address string, ready func(context.Context) error) error {
	if address == NoAddress {
		return nil
	}
	probes := http.NewServeMux()
	probes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	probes.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve probes: %w", err)
	}
	return ServeUntil(ctx, &http.Server{Handler: probes, ReadHeaderTimeout: probeTimeout}, listener)
}

// ListenAndServe is Serve at an address, and nothing where that is NoAddress.
func (s *Server) ListenAndServe(ctx context.Context, address string) error {
	if address == NoAddress {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return s.Serve(ctx, listener)
}
