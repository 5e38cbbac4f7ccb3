package main

import (
	"cmp"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/nri"
)

const long = `l2sm-agent is the node's side of l2sm; one runs on every node.

When a pod starts, the CNI plugin (l2sm, which Multus runs) asks the agent for
the pod's interfaces on L2Networks. The agent waits for the L2Attachments that
l2sm-controller writes, makes a veth pair for each, plugs it into Open vSwitch's
integration bridge, and returns when OVN has installed the flows. Pods that run
are attached, detached and moved as their L2Attachments come, go and change: the
container runtime says where the pods are. The agent says on each L2Attachment
of its node whether it is Ready, and removes what sandboxes that are gone left.

On fabric Central it also makes a key for the node, which stays there, and keeps a
certificate for it that l2sm-controller signs: ovn-controller shows it to OVN's
southbound database. On the others every node has databases of its own, and the
agent writes the northbound one: the networks that have a pod on the node.

It needs the node's network namespace, Open vSwitch's database, the container
runtime's socket and a writable /proc/sys/net. It writes nothing to disk: it may be
killed at any time.`

const example = `  # as the DaemonSet runs it: what is not given comes from the environment
  l2sm-agent --node-name=node-a --underlay-mtu=1500 --sysctl-root=/host/proc/sys

  # put the CNI plugin where the container runtime looks for it
  l2sm-agent install-cni --bin-dir=/opt/cni/bin`

// options are what the flags say.
type options struct {
	agent     agent.Config
	databases databases
	ovnTLSDir string
	verbose   bool
}

func newRoot() *cobra.Command {
	o := options{}
	root := &cobra.Command{
		Use:           "l2sm-agent",
		Short:         "Wire the pods of one node to their L2Networks",
		Long:          long,
		Example:       example,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	flags := root.Flags()
	flags.StringVar(&o.agent.Node, "node-name", os.Getenv("NODE_NAME"),
		"the Kubernetes node that the agent runs on (environment: NODE_NAME)")
	flags.Int32Var(&o.agent.UnderlayMTU, "underlay-mtu", number(os.Getenv("UNDERLAY_MTU"), 1500),
		"MTU in bytes that every node's tunnel interface carries; pods get 58 less (environment: UNDERLAY_MTU)")
	flags.StringVar(&o.agent.CNISocket, "cni-socket", cni.Socket, "Unix socket on which the CNI plugin asks")
	flags.StringVar(&o.agent.OVSDB, "ovs-db", "unix:/run/openvswitch/db.sock", "Open vSwitch's database: unix:/PATH or tcp:HOST:PORT")
	flags.StringVar(&o.agent.RefusalFile, "refusal-file", "/run/openvswitch/refusal", "where ovn-node's checks say why it does not start on this node: one line, a reason and a message")
	flags.StringVar(&o.agent.CRI, "cri-endpoint", os.Getenv("CRI_ENDPOINT"),
		"socket of the container runtime, such as unix:///run/containerd/containerd.sock; the first that exists of "+strings.Join(cri.Sockets, ", ")+" if empty (environment: CRI_ENDPOINT)")
	flags.StringVar((*string)(&o.agent.AttachBy), "attach-by", cmp.Or(os.Getenv("ATTACH_BY"), string(v1alpha1.AttachAuto)),
		"how pods get their interfaces before they start: auto (the container runtime tells of them by NRI, where it does, for what Multus has not attached), nri (the same without Multus: a node whose runtime does not has a condition that says so) or multus (environment: ATTACH_BY)")
	flags.StringVar(&o.agent.NRISocket, "nri-socket", nri.Socket, "Unix socket on which the container runtime takes NRI plugins")
	flags.StringVar(&o.agent.SysctlRoot, "sysctl-root", "/proc/sys", "where /proc/sys is writable; an unprivileged container's own is not")
	flags.StringVar((*string)(&o.agent.Fabric), "fabric", cmp.Or(os.Getenv("FABRIC"), string(v1alpha1.FabricCentral)),
		"which northbound databases hold the networks: Central (one), Zones (one on each node) or OVNKubernetes (those of an OVN-Kubernetes that is there) (environment: FABRIC)")
	flags.StringVar(&o.databases.northbound, "nb", cmp.Or(os.Getenv("NB_ENDPOINTS"), "unix:/run/l2sm/zone/ovnnb_db.sock"),
		"the node's own northbound database, unix:/PATH; unused on fabric Central (environment: NB_ENDPOINTS)")
	flags.StringVar(&o.databases.southbound, "sb", cmp.Or(os.Getenv("SB_ENDPOINTS"), "unix:/run/l2sm/zone/ovnsb_db.sock"),
		"the node's own southbound database, unix:/PATH; unused on fabric Central (environment: SB_ENDPOINTS)")
	flags.StringVar(&o.ovnTLSDir, "ovn-tls-dir", identity.Dir,
		"folder for the node's key and certificate for OVN's southbound database, on a memory file system")
	flags.StringVar(&o.agent.MetricsAddress, "metrics-bind-address", ":9471", "address of Prometheus metrics, of /inventory and of /debug/pprof/, by TLS; 0 for none")
	flags.StringVar(&o.agent.MetricsTLSDir, "metrics-tls-dir", os.Getenv("METRICS_TLS_DIR"),
		"folder with tls.crt and tls.key for the metrics' server; without, it signs its own (environment: METRICS_TLS_DIR)")
	flags.StringVar(&o.agent.ProbeAddress, "health-probe-bind-address", "127.0.0.1:9472", "address of /healthz and /readyz; 0 for none")
	flags.BoolVar(&o.verbose, "verbose", false, "log what is done in detail")
	root.AddCommand(newInstallCNI())
	return root
}

func (o options) check() error {
	if o.agent.Node == "" {
		return errors.New("--node-name is missing: say which Kubernetes node this is")
	}
	if err := o.agent.AttachBy.Check(); err != nil {
		return err
	}
	if err := o.databases.check(o.agent.Fabric); err != nil {
		return err
	}
	_, err := v1alpha1.MaxMTU(o.agent.UnderlayMTU, corev1.IPv4Protocol) // over IPv6 the controller's check is the narrower one
	return err
}

// number is the text's number, the default where there is no text, and 0, which
// check refuses, where it is none.
func number(text string, otherwise int32) int32 {
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}
