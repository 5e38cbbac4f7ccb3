package agent

import (
	"context"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"l2sm.io/l2sm/internal/inventory"
)

// serveProbes answers the kubelet until ctx ends: the node is ready when pods can be
// plugged.
func (a *Agent) serveProbes(ctx context.Context) error {
	return inventory.ServeProbes(ctx, a.config.ProbeAddress, a.ovs.Ready)
}

// serveMetrics serves metrics, inventory and profiles until ctx ends.
func (a *Agent) serveMetrics(ctx context.Context) error {
	handlers := inventory.Profiles()
	handlers["/metrics"] = promhttp.Handler()
	handlers[inventory.Path] = inventory.Handler(a.gatherInventory)
	server := &inventory.Server{Name: inventory.AgentName, TLSDir: a.config.MetricsTLSDir, Handlers: handlers, Allow: a.live.Allow}
	return server.ListenAndServe(ctx, a.config.MetricsAddress)
}
