package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/pki"
)

// The Secrets that manifests/ovn-central and its clients know.
const (
	// The authority of the databases and of the controller, their client.
	controlAuthority = "ovn-control-ca"
	centralSecret    = "ovn-central-tls"
	controlSecret    = "ovn-control-tls"

	// The authority of what agents and controllers serve themselves. Every node
	// has agents' key: what it signs, no database and no node takes.
	metricsAuthority = "l2sm-metrics-ca"
	agentSecret      = "l2sm-agent-tls"
	controllerSecret = "l2sm-controller-tls"
)

// renewBefore is how long before its end a certificate is replaced. Clients
// learn of a new one within minutes, and ovn-central is not restarted often.
const renewBefore = 365 * 24 * time.Hour

const pkiLong = `pki makes certificates for OVN's databases and the controller.

It keeps them in the Secrets ovn-control-ca (an authority of our own),
ovn-central-tls and ovn-control-tls, and in l2sm-metrics-ca (another one),
l2sm-agent-tls and l2sm-controller-tls what agents and controllers serve their
metrics with. It replaces those that are missing or will expire within a year,
and writes ovn-central's into a folder. It is ovn-central's init container.

Where there is the Secret ovn-ca, of v0.1.0, it signs one more certificate of
ovn-central by it, which is in the folder alone, and tells the controller of that
authority: nodes that are not upgraded yet trust no other.

Nodes' certificates are not among them: see the flag
--node-certificate-lifetime of the controller.

With --metrics it makes those of metrics alone and writes the controller's into the
folder: it is the controller's init container where no database is central.`

// newPKI is the subcommand pki.
func newPKI() *cobra.Command {
	var namespace, dir string
	var metricsOnly bool
	command := &cobra.Command{
		Use:   "pki",
		Short: "Make the certificates of OVN's databases and the controller",
		Long:  pkiLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := ctrl.GetConfig()
			if err != nil {
				return err
			}
			api, err := client.New(config, client.Options{})
			if err != nil {
				return fmt.Errorf("connect to the API server: %w", err)
			}
			k := keeper{api: api, namespace: namespace, now: time.Now()}
			if metricsOnly {
				controller, err := k.metricsBesideOthers(cmd.Context())
				if err != nil {
					return err
				}
				return writeFiles(dir, controller)
			}
			hosts := centralHosts(namespace, os.Getenv("OVN_CENTRAL_SERVICE_HOST"))
			shared, err := k.shared(cmd.Context(), hosts)
			if err != nil {
				return err
			}
			central, err := k.ensure(cmd.Context(), hosts)
			if err != nil {
				return err
			}
			return errors.Join(writeFiles(dir, central), writeFiles(dir, shared))
		},
	}
	flags := command.Flags()
	flags.StringVar(&namespace, "namespace", cmp.Or(os.Getenv("POD_NAMESPACE"), v1alpha1.SystemNamespace),
		"namespace of the Secrets (environment: POD_NAMESPACE)")
	flags.StringVar(&dir, "dir", "/tls", "folder for ovn-central's ca.crt, tls.crt and tls.key, or the controller's")
	flags.BoolVar(&metricsOnly, "metrics", false, "make certificates of agents' and controllers' metrics alone")
	return command
}

// centralHosts are the names and addresses that the databases are reached by.
// The Service's address is what a pod without cluster DNS uses.
func centralHosts(namespace, address string) []string {
	hosts := []string{"ovn-central", "ovn-central." + namespace + ".svc"}
	if address != "" {
		hosts = append(hosts, address)
	}
	return hosts
}

// keeper keeps certificates in Secrets of the form of Kubernetes' TLS secrets,
// with ca.crt beside.
type keeper struct {
	api       client.Client
	namespace string
	now       time.Time
	// former is the certificate of the authority of v0.1.0, for the controller, or none.
	former []byte
}

// ensure makes the Secrets hold certificates that will do, and returns
// the content of ovn-central's. What will do is left as it is.
func (k keeper) ensure(ctx context.Context, hosts []string) (map[string][]byte, error) {
	if _, err := k.metrics(ctx); err != nil {
		return nil, err
	}
	control, err := k.authority(ctx, controlAuthority, "l2sm control")
	if err != nil {
		return nil, err
	}
	_, err = k.leaf(ctx, control, controlSecret, nil, func() (pki.Pair, error) {
		return control.Client("l2sm-controller", k.now)
	})
	if err != nil {
		return nil, err
	}
	return k.leaf(ctx, control, centralSecret, hosts, func() (pki.Pair, error) {
		return control.Server("ovn-central", hosts, k.now)
	})
}

// metrics ensures what agents and controllers serve with, and returns the content
// of the controllers' Secret.
func (k keeper) metrics(ctx context.Context) (map[string][]byte, error) {
	authority, err := k.authority(ctx, metricsAuthority, "l2sm metrics")
	if err != nil {
		return nil, err
	}
	var last map[string][]byte
	for _, of := range []struct{ secret, host string }{{agentSecret, inventory.AgentName}, {controllerSecret, inventory.ControllerName}} {
		last, err = k.leaf(ctx, authority, of.secret, []string{of.host}, func() (pki.Pair, error) {
			return authority.Endpoint(of.host, k.now)
		})
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// metricsBesideOthers is metrics where other replicas of the controller start at
// the same time: what one of them wrote is read again.
func (k keeper) metricsBesideOthers(ctx context.Context) (content map[string][]byte, err error) {
	late := func(err error) bool { return apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) }
	err = retry.OnError(retry.DefaultBackoff, late, func() error {
		content, err = k.metrics(ctx)
		return err
	})
	return content, err
}

// authority returns the one that is kept in a Secret, or a new one.
func (k keeper) authority(ctx context.Context, secret, name string) (*pki.Authority, error) {
	s, err := k.get(ctx, secret)
	if err != nil {
		return nil, err
	}
	kept, err := pki.ParseAuthority(pairOf(s))
	if err == nil && kept.Covers(kept.Pair(), nil, k.now.Add(renewBefore)) {
		return kept, nil
	}

	made, err := pki.NewAuthority(name, k.now)
	if err != nil {
		return nil, err
	}
	return made, k.put(ctx, s, made.Pair(), made.Pair().Certificate)
}

// leaf returns the content of a Secret whose certificate the authority signed
// for the hosts, and has a new one issued if there is none.
func (k keeper) leaf(ctx context.Context, authority *pki.Authority, name string, hosts []string, issue func() (pki.Pair, error)) (map[string][]byte, error) {
	s, err := k.get(ctx, name)
	if err != nil {
		return nil, err
	}
	trust := authority.Pair().Certificate
	if bytes.Equal(s.Data[pki.AuthorityFile], trust) && authority.Covers(pairOf(s), hosts, k.now.Add(renewBefore)) {
		return s.Data, nil
	}

	pair, err := issue()
	if err != nil {
		return nil, err
	}
	return s.Data, k.put(ctx, s, pair, trust)
}

// get returns the Secret, or an empty one that is not in the API.
func (k keeper) get(ctx context.Context, name string) (*corev1.Secret, error) {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: k.namespace},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{},
	}
	if err := k.api.Get(ctx, client.ObjectKeyFromObject(s), s); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get secret %q: %w", name, err)
	}
	return s, nil
}

// put writes a Secret that get returned.
func (k keeper) put(ctx context.Context, s *corev1.Secret, pair pki.Pair, trust []byte) error {
	s.Data[pki.CertificateFile], s.Data[pki.KeyFile], s.Data[pki.AuthorityFile] = pair.Certificate, pair.Key, trust
	if s.Name == controlSecret {
		s.Data[pki.SharedFile] = k.former
	}
	if s.ResourceVersion != "" {
		if err := k.api.Update(ctx, s); err != nil {
			return fmt.Errorf("update secret %q: %w", s.Name, err)
		}
		return nil
	}
	if err := k.api.Create(ctx, s); err != nil {
		return fmt.Errorf("create secret %q: %w", s.Name, err)
	}
	return nil
}

func pairOf(s *corev1.Secret) pki.Pair {
	return pki.Pair{Certificate: s.Data[pki.CertificateFile], Key: s.Data[pki.KeyFile]}
}

// writeFiles writes each entry into a file of its name, for its owner alone.
func writeFiles(dir string, content map[string][]byte) error {
	for name, data := range content {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("write certificate: %w", err)
		}
	}
	return nil
}
