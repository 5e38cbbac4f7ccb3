package edge

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"l2sm.io/l2sm/internal/inventory"
)

// serveProbes answers the kubelet until ctx ends: the edge is ready when br-edge can be
// written.
func (e *Edge) serveProbes(ctx context.Context) error {
	return inventory.ServeProbes(ctx, e.config.ProbeAddress, e.ready)
}

// ready says what is missing.
func (e *Edge) ready(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.filled:
		return errors.New("the API server has not told of L2Edge and L2Peers yet")
	case !e.bridgeIs.synced:
		return errors.New("no answer from Open vSwitch's database")
	default:
		return nil
	}
}

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// serveMetrics serves metrics and profiles until ctx ends.
func (e *Edge) serveMetrics(ctx context.Context) error {
	handlers := inventory.Profiles()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{e})
	handlers["/metrics"] = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	server := &inventory.Server{Name: manager, TLSDir: e.config.MetricsTLSDir, Handlers: handlers, Allow: e.config.API.Allow}
	return server.ListenAndServe(ctx, e.config.MetricsAddress)
}
