package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Plane is etcd, kube-apiserver and the controllers of kube-controller-manager that matter here: the garbage collector
// and that of namespaces.
type Plane struct {
	Config *rest.Config // an administrator's, without a limit of its own
	Client client.Client

	env             *envtest.Environment
	apiserver, etcd int
	collector       *process
}

// Scheme holds the kinds that l2sm deals with.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, nadv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API kinds: %w", err)
		}
	}
	return scheme, nil
}

func startPlane(ctx context.Context, dir string, o Options) (*Plane, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: o.Kubernetes,
		CRDDirectoryPaths: []string{
			filepath.Join(o.Repository, "manifests", "crd"),
			filepath.Join(o.Repository, "controllers", "testdata", "network-attachment-definitions.yaml"),
		},
		ErrorIfCRDPathMissing: true, Scheme: scheme,
	}
	log, err := os.Create(filepath.Join(dir, "kube-apiserver.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	env.ControlPlane.GetAPIServer().Out, env.ControlPlane.GetAPIServer().Err = log, log
	p := &Plane{env: env}
	config, err := env.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start kube-apiserver and etcd: %w", err), p.end())
	}
	if err := p.join(ctx, dir, o, config); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// join connects to the API server and starts the garbage collector.
func (p *Plane) join(ctx context.Context, dir string, o Options, config *rest.Config) error {
	var err error
	p.Config = rest.CopyConfig(config)
	p.Config.QPS = -1
	if p.Client, err = client.New(p.Config, client.Options{Scheme: p.env.Scheme}); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if p.apiserver, err = child("kube-apiserver"); err != nil {
		return err
	}
	if p.etcd, err = child("etcd"); err != nil {
		return err
	}
	kubeconfig, err := p.user(dir, "kube-controller-manager", "system:masters")
	if err != nil {
		return err
	}
	p.collector, err = launch(dir, "kube-controller-manager", nil, filepath.Join(o.Kubernetes, "kube-controller-manager"),
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--controllers=garbage-collector-controller,namespace-controller", "--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=2000", "--secure-port=0")
	if err != nil {
		return err
	}
	return p.prepare(ctx, o.Repository)
}

// user makes a user and returns the file of its kubeconfig.
func (p *Plane) user(dir, name string, groups ...string) (string, error) {
	user, err := p.env.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: -1})
	if err != nil {
		return "", fmt.Errorf("add user %q: %w", name, err)
	}
	text, err := user.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("make kubeconfig of %q: %w", name, err)
	}
	file := filepath.Join(dir, name+".kubeconfig")
	return file, os.WriteFile(file, text, 0o600)
}

// Administrator returns the file of a kubeconfig that has all rights.
func (s *Stack) Administrator() (string, error) {
	return s.user(s.dir, "administrator", "system:masters")
}

func (p *Plane) end() error {
	return errors.Join(p.collector.stop(), p.env.Stop())
}

// APIMetrics reads what the API server counts.
func (p *Plane) APIMetrics(ctx context.Context) (Metrics, error) {
	set, err := kubernetes.NewForConfig(p.Config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	text, err := set.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read metrics of the API server: %w", err)
	}
	return parseMetrics(strings.NewReader(string(text)))
}
