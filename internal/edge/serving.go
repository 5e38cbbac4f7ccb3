package edge

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"l2sm.io/l2sm/internal/inventory"
)

// noAddress stands for no server.
const noAddress = "0"

// probeTimeout bounds a probe's request.
const probeTimeout = 5 * time.Second

// serveProbes answers the kubelet until ctx ends: /healthz says that the program runs,
// /readyz that br-edge can be written.
func (e *Edge) serveProbes(ctx context.Context) error {
	if e.config.ProbeAddress == noAddress {
		return nil
	}
	probes := http.NewServeMux()
	probes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	probes.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := e.notReady(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	listener, err := net.Listen("tcp", e.config.ProbeAddress)
	if err != nil {
		return fmt.Errorf("serve probes: %w", err)
	}
	return inventory.ServeUntil(ctx, &http.Server{Handler: probes, ReadHeaderTimeout: probeTimeout}, listener)
}

// notReady says what is missing.
func (e *Edge) notReady() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.filled:
		return "the API server has not told of L2Edge and L2Peers yet"
	case !e.bridgeIs.synced:
		return "Open vSwitch's database does not answer"
	default:
		return ""
	}
}

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// serveMetrics serves metrics and profiles until ctx ends.
func (e *Edge) serveMetrics(ctx context.Context) error {
	if e.config.MetricsAddress == noAddress {
		return nil
	}
	handlers := inventory.Profiles()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{e})
	handlers["/metrics"] = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	server := &inventory.Server{Name: manager, TLSDir: e.config.MetricsTLSDir, Handlers: handlers, Allow: e.config.API.Allow}
	listener, err := net.Listen("tcp", e.config.MetricsAddress)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return server.Serve(ctx, listener)
}
