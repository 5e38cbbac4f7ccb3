package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/internal/edge"
)

const long = `l2sm-edge carries L2Networks to other clusters and to EVPN fabrics. It runs on the nodes that the L2Edge
names; one of them is active, the others stand by.

It speaks BGP EVPN (RFC 7432, RFC 8365) with the L2Peers, announces the pods of
networks whose port is bound to this node, and keeps the flows of bridge br-edge,
through which frames go to the peers by VXLAN. What networks go where stands in
their status, which l2sm-controller writes; an edge decides nothing of it.

With encryption: WireGuard in the L2Edge, all that goes between edges is encrypted,
by the kernel where it can, else by this program: frames then stop while it does.

It needs the node's network namespace, NET_BIND_SERVICE for BGP's port, and the
sockets of Open vSwitch; for WireGuard also NET_ADMIN, and /dev/net/tun where the
kernel can't do it. It writes nothing to disk and may be killed at any time:
flows stay, and peers keep its routes for a minute.`

const example = `  # as the DaemonSet runs it: what is not given comes from the environment
  l2sm-edge --node-name=node-a`

// options are what the flags say.
type options struct {
	edge    edge.Config
	verbose bool
}

func newRoot() *cobra.Command {
	o := options{}
	root := &cobra.Command{
		Use:           "l2sm-edge",
		Short:         "Carry L2Networks to other clusters",
		Long:          long,
		Example:       example,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.edge.Node == "" {
				return errors.New("--node-name is missing: say which Kubernetes node this is")
			}
			return run(cmd.Context(), o)
		},
	}
	flags := root.Flags()
	flags.StringVar(&o.edge.Node, "node-name", os.Getenv("NODE_NAME"), "the Kubernetes node that the edge runs on (environment: NODE_NAME)")
	flags.StringVar(&o.edge.OVSDB, "ovs-db", "unix:/run/openvswitch/db.sock", "Open vSwitch's database: unix:/PATH")
	flags.StringVar(&o.edge.OpenFlowDir, "openflow-dir", "/run/openvswitch", "folder with the bridges' sockets for OpenFlow, such as br-edge.mgmt")
	flags.Uint16Var(&o.edge.BGPPort, "bgp-port", 179, "TCP port of BGP, of this edge and of its peers")
	flags.Uint16Var(&o.edge.WireGuardPort, "wireguard-port", 51830, "UDP port of WireGuard, of this edge and of its peers, where the L2Edge asks for it")
	flags.StringVar(&o.edge.MetricsAddress, "metrics-bind-address", ":9473", "address of Prometheus metrics and of /debug/pprof/, by TLS; 0 for none")
	flags.StringVar(&o.edge.MetricsTLSDir, "metrics-tls-dir", os.Getenv("METRICS_TLS_DIR"),
		"folder with tls.crt and tls.key for the metrics' server; without, it signs its own (environment: METRICS_TLS_DIR)")
	flags.StringVar(&o.edge.ProbeAddress, "health-probe-bind-address", "127.0.0.1:9474", "address of /healthz and /readyz; 0 for none")
	flags.BoolVar(&o.verbose, "verbose", false, "log what is done in detail")
	return root
}
