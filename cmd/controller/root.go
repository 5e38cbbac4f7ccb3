package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/tunnelkey"
)

const long = `l2sm-controller is the control plane of l2sm.

It watches pods and L2Networks. For every interface that a pod asks for by
annotation it writes an L2Attachment with a MAC address and IP addresses, and
for every L2Network a logical switch with the attachments' ports into OVN's
northbound database. Where each node has a database of its own, which the node's
agent writes, it gives networks and ports their tunnel keys. What it knows is in the Kubernetes API: it may be killed,
and both databases may be wiped, at any time.

Run two of it for a quick takeover; one is elected to work. Outside of a
cluster, KUBECONFIG says which one to serve.`

const example = `  # as the Deployment runs it: what is not given comes from the environment
  l2sm-controller --nb=ssl:10.96.0.20:6641 --sb=ssl:10.96.0.20:6643 --tls-dir=/tls

  # where each node has a northbound database of its own
  l2sm-controller --fabric=Zones

  # on a developer's machine, with databases of its own
  l2sm-controller --nb=unix:/tmp/nb.sock --sb=unix:/tmp/sb.sock --leader-elect=false`

// minNodeCertificateLifetime leaves time to renew a certificate, and to try again.
const minNodeCertificateLifetime = 30 * time.Second

// options are what the flags say.
type options struct {
	fabric                 v1alpha1.Fabric
	tunnelKeys             string
	northbound, southbound []string
	tlsDir                 string
	underlayMTU            int32
	underlayFamily         string
	refuseOverlaps         bool
	attachBy               v1alpha1.AttachBy
	// nodeCertificateLifetime bounds nodes' certificates.
	nodeCertificateLifetime time.Duration
	namespace               string
	leaderElect             bool
	metricsAddress          string
	metricsTLSDir           string
	probeAddress            string
	verbose                 bool
	// wrong is what can't be read in the environment.
	wrong error
}

func newRoot() *cobra.Command {
	o := options{}
	root := &cobra.Command{
		Use:           "l2sm-controller",
		Short:         "Give Kubernetes pods link-layer networks: the control plane",
		Long:          long,
		Example:       example,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := o.networkKeys()
			if err := errors.Join(o.check(), o.checkLifetime(), o.attachBy.Check(), err); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	flags := root.Flags()
	o.addClusterFlags(flags)
	flags.StringVar(&o.tunnelKeys, "tunnel-keys", cmp.Or(os.Getenv("TUNNEL_KEYS"), tunnelkey.DefaultNetworks),
		"keys that tell networks apart in tunnels, FIRST-LAST (environment: TUNNEL_KEYS)")
	flags.BoolVar(&o.refuseOverlaps, "refuse-overlaps", o.choice("REFUSE_OVERLAPS"),
		"refuse new networks whose subnets are Services', pods' or nodes' too, instead of a warning (environment: REFUSE_OVERLAPS)")
	flags.StringVar((*string)(&o.attachBy), "attach-by", cmp.Or(os.Getenv("ATTACH_BY"), string(v1alpha1.AttachAuto)),
		"the agents' setting; with multus the controller is not ready before Multus is there (environment: ATTACH_BY)")
	flags.DurationVar(&o.nodeCertificateLifetime, "node-certificate-lifetime", identity.MaxLifetime,
		"longest lifetime of a node's certificate for the southbound database; agents renew it at half to three quarters of that")
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "work only when elected; needed where more than one runs")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of Prometheus metrics and of /inventory, by TLS; 0 for none")
	flags.StringVar(&o.metricsTLSDir, "metrics-tls-dir", os.Getenv("METRICS_TLS_DIR"),
		"folder with tls.crt and tls.key for the metrics' server; without, it signs its own (environment: METRICS_TLS_DIR)")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 for none")
	flags.BoolVar(&o.verbose, "verbose", false, "log what is done in detail")
	root.AddCommand(newPKI(), newAudit())
	return root
}

// addClusterFlags adds what says where everything is.
func (o *options) addClusterFlags(flags *pflag.FlagSet) {
	flags.StringVar((*string)(&o.fabric), "fabric", cmp.Or(os.Getenv("FABRIC"), string(v1alpha1.FabricCentral)),
		"which northbound databases hold the networks: Central, one that the controller writes; Zones or OVNKubernetes, each node's own, which its agent writes (environment: FABRIC)")
	flags.StringSliceVar(&o.northbound, "nb", split(os.Getenv("NB_ENDPOINTS")),
		"northbound database of fabric Central: ssl:HOST:PORT, tcp:HOST:PORT or unix:/PATH, any number, tried in turn (environment: NB_ENDPOINTS)")
	flags.StringSliceVar(&o.southbound, "sb", split(os.Getenv("SB_ENDPOINTS")),
		"southbound database of fabric Central, in which the chassis of removed nodes and floods of learned MAC addresses are deleted (environment: SB_ENDPOINTS)")
	flags.StringVar(&o.tlsDir, "tls-dir", os.Getenv("TLS_DIR"),
		"folder with ca.crt, tls.crt and tls.key, for ssl: endpoints (environment: TLS_DIR)")
	flags.Int32Var(&o.underlayMTU, "underlay-mtu", number(os.Getenv("UNDERLAY_MTU"), 1500),
		"MTU in bytes that every node's tunnel interface carries; pods get 58 less (environment: UNDERLAY_MTU)")
	flags.StringVar(&o.underlayFamily, "underlay-family", cmp.Or(os.Getenv("UNDERLAY_FAMILY"), string(corev1.IPv4Protocol)),
		"IPv4 or IPv6: the family of the nodes' addresses that tunnels use; over IPv6 pods get 78 bytes less (environment: UNDERLAY_FAMILY)")
	flags.StringVar(&o.namespace, "namespace", cmp.Or(os.Getenv("POD_NAMESPACE"), v1alpha1.SystemNamespace),
		"namespace that l2sm runs in (environment: POD_NAMESPACE)")
}

func (o options) check() error {
	if o.wrong != nil {
		return o.wrong
	}
	if err := o.fabric.Check(); err != nil {
		return err
	}
	for flag, endpoints := range map[string][]string{"--nb": o.northbound, "--sb": o.southbound} {
		if len(endpoints) == 0 && !o.fabric.Zoned() {
			return fmt.Errorf("%s is missing: say where the database is, such as %s=tcp:10.96.0.20:6641", flag, flag)
		}
	}
	_, err := o.maxMTU()
	return err
}

// maxMTU is the largest MTU that pods may have, in bytes.
func (o options) maxMTU() (int32, error) {
	return v1alpha1.MaxMTU(o.underlayMTU, corev1.IPFamily(o.underlayFamily))
}

// checkLifetime is apart: audit signs nothing, and has no such flag.
func (o options) checkLifetime() error {
	if l := o.nodeCertificateLifetime; l < minNodeCertificateLifetime || l > identity.MaxLifetime {
		return fmt.Errorf("--node-certificate-lifetime=%s: want %s to %s", l, minNodeCertificateLifetime, identity.MaxLifetime)
	}
	return nil
}

// networkKeys is the range of networks' tunnel keys, checked where it is used.
func (o options) networkKeys() (tunnelkey.Range, error) {
	keys, err := tunnelkey.ParseRange(o.tunnelKeys)
	if err != nil {
		return keys, fmt.Errorf("--tunnel-keys: %w", err)
	}
	if o.fabric == v1alpha1.FabricOVNKubernetes && keys.Last >= tunnelkey.FirstOfOVNKubernetes {
		return keys, fmt.Errorf("--tunnel-keys=%s: OVN-Kubernetes' own begin at %d: end the range before, such as %s", keys, tunnelkey.FirstOfOVNKubernetes, tunnelkey.DefaultNetworks)
	}
	return keys, nil
}

// usesTLS says whether any endpoint that is used needs a certificate.
func (o options) usesTLS() bool {
	if o.fabric.Zoned() {
		return false
	}
	for _, endpoint := range slices.Concat(o.northbound, o.southbound) {
		if strings.HasPrefix(endpoint, "ssl:") {
			return true
		}
	}
	return false
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// choice is what the environment says of a setting that is true or false: false
// where it says nothing.
func (o *options) choice(key string) bool {
	text := strings.TrimSpace(os.Getenv(key))
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		o.wrong = fmt.Errorf("environment %s=%q: want true or false", key, text)
	}
	return yes
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
