package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"go.uber.org/zap/zapcore"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/controllers"
	"l2sm.io/l2sm/internal/manage"
	"l2sm.io/l2sm/internal/pki"
	"l2sm.io/l2sm/ovn"
)

// run runs the manager until the context ends.
func run(ctx context.Context, o options) error {
	level := zapcore.InfoLevel
	if o.verbose {
		level = zapcore.DebugLevel
	}
	logger := newLogger(os.Stderr, level)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger) // client-go's own lines
	var northbound *ovn.Client
	var southbound *ovn.Southbound
	if !o.fabric.Zoned() {
		var err error
		if northbound, southbound, err = dial(ctx, o); err != nil {
			return err
		}
		defer northbound.Close()
		defer southbound.Close()
	}
	mgr, err := newManager(o)
	if err != nil {
		return err
	}
	if err := addChecks(mgr, northbound, o.attachBy); err != nil {
		return err
	}
	control, err := o.controlAuthority()
	if err != nil {
		return err
	}
	maxMTU, err := o.maxMTU()
	if err != nil {
		return err
	}
	keys, err := o.networkKeys()
	if err != nil {
		return err
	}
	err = controllers.Setup(mgr, controllers.Config{
		Fabric: o.fabric, TunnelKeys: keys, Northbound: northbound, Southbound: southbound,
		MaxMTU: maxMTU, RefuseOverlaps: o.refuseOverlaps, AttachBy: o.attachBy,
		ControlAuthority: control, SharedAuthority: o.sharedAuthority, NodeCertificateLifetime: o.nodeCertificateLifetime,
	})
	if err != nil {
		return err
	}
	return manage.Run(ctx, mgr)
}

// controlAuthority is that of the databases' certificates, in PEM; empty where
// they are reached without TLS.
func (o options) controlAuthority() (string, error) {
	if !o.usesTLS() {
		return "", nil
	}
	text, err := os.ReadFile(filepath.Join(o.tlsDir, pki.AuthorityFile))
	if err != nil {
		return "", fmt.Errorf("read the databases' authority: %w", err)
	}
	return string(text), nil
}

// sharedAuthority is that of v0.1.0, in PEM; empty where there is none. The
// Secret's volume follows the Secret, so it is read whenever it is asked for.
func (o options) sharedAuthority() string {
	text, err := os.ReadFile(filepath.Join(o.tlsDir, pki.SharedFile))
	if err != nil {
		return "" // as without that version
	}
	return string(text)
}

// dial starts to connect to both databases; it does not wait for them.
func dial(ctx context.Context, o options) (*ovn.Client, *ovn.Southbound, error) {
	var certificates *tls.Config
	if o.usesTLS() {
		loaded, err := pki.Load(o.tlsDir)
		if err != nil {
			return nil, nil, fmt.Errorf("load certificates from --tls-dir: %w", err)
		}
		certificates = loaded
	}
	northbound, err := ovn.Dial(ctx, ovn.Config{Endpoints: o.northbound, TLS: certificates, Logger: ctrl.Log.WithName("northbound")})
	if err != nil {
		return nil, nil, err
	}
	southbound, err := ovn.DialSouthbound(ctx, ovn.Config{Endpoints: o.southbound, TLS: certificates, Logger: ctrl.Log.WithName("southbound")})
	if err != nil {
		northbound.Close()
		return nil, nil, err
	}
	return northbound, southbound, nil
}

func newManager(o options) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   controllers.CacheOptions(),
		MapperProvider:          manage.NewMapper,
		LeaderElection:          o.leaderElect,
		LeaderElectionID:        "l2sm-controller",
		LeaderElectionNamespace: o.namespace,
		// The process ends with the manager, so the next leader need not wait.
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       manage.Metrics(o.metricsAddress, o.metricsTLSDir),
		HealthProbeBindAddress:        o.probeAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return mgr, nil
}

// newScheme has the kinds that the controllers read and write.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, certificatesv1.AddToScheme, coordinationv1.AddToScheme, networkingv1.AddToScheme, v1alpha1.AddToScheme, nadv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API kinds: %w", err)
		}
	}
	return scheme, nil
}

var errNoNorthbound = errors.New("not connected to the northbound database")

// addChecks adds those of readiness: of the northbound database where it is the
// controller's.
func addChecks(mgr ctrl.Manager, northbound *ovn.Client, by v1alpha1.AttachBy) error {
	ready := map[string]healthz.Checker{"ping": healthz.Ping} // without any there is no /readyz
	if northbound != nil {
		ready["northbound"] = func(*http.Request) error {
			if !northbound.Connected() {
				return errNoNorthbound
			}
			return nil
		}
	}
	if by == v1alpha1.AttachMultus {
		ready["multus"] = controllers.MultusReady(mgr.GetRESTMapper())
	}
	for name, check := range ready {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("add readiness check %q: %w", name, err)
		}
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add health check: %w", err)
	}
	return nil
}
