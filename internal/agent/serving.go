package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"l2sm.io/l2sm/internal/inventory"
)

// noAddress stands for no server.
const noAddress = "0"

// probeTimeout bounds a probe's request.
const probeTimeout = 5 * time.Second

// serveProbes answers the kubelet until ctx ends: /healthz says that the program
// runs, /readyz that pods can be plugged.
func (a *Agent) serveProbes(ctx context.Context) error {
	if a.config.ProbeAddress == noAddress {
		return nil
	}
	probes := http.NewServeMux()
	probes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	probes.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := a.ovs.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	listener, err := net.Listen("tcp", a.config.ProbeAddress)
	if err != nil {
		return fmt.Errorf("serve probes: %w", err)
	}
	return inventory.ServeUntil(ctx, &http.Server{Handler: probes, ReadHeaderTimeout: probeTimeout}, listener)
}

// serveMetrics serves metrics, inventory and profiles until ctx ends.
func (a *Agent) serveMetrics(ctx context.Context) error {
	if a.config.MetricsAddress == noAddress {
		return nil
	}
	handlers := inventory.Profiles()
	handlers["/metrics"] = promhttp.Handler()
	handlers[inventory.Path] = inventory.Handler(a.gatherInventory)
	server := &inventory.Server{Name: inventory.AgentName, TLSDir: a.config.MetricsTLSDir, Handlers: handlers, Allow: a.live.Allow}
	listener, err := net.Listen("tcp", a.config.MetricsAddress)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return server.Serve(ctx, listener)
}
