//go:build integration

package policies_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
)

const (
	controllerAccount = "l2sm-controller"
	agentAccount      = "l2sm-agent"
)

// patience is how long a test waits: the API server takes new policies up with
// some delay.
const patience = 30 * time.Second

var (
	scheme = runtime.NewScheme()
	// config is the administrator's, of a real kube-apiserver with all of
	// manifests/policies and the roles of the controller and the agent in it.
	config *rest.Config
	admin  client.Client
	// person is an administrator with a kubectl.
	person *envtest.AuthenticatedUser
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) (code int) {
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, nadv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{"../crd", "../../controllers/testdata/network-attachment-definitions.yaml"},
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
	}
	err := start(env)
	if err == nil {
		code = m.Run()
	}
	if err := errors.Join(err, env.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func start(env *envtest.Environment) (err error) {
	if config, err = env.Start(); err != nil {
		return fmt.Errorf("start kube-apiserver and etcd: %w; KUBEBUILDER_ASSETS must name the folder of their binaries, and `make test` sets it", err)
	}
	if person, err = env.AddUser(envtest.User{Name: "person", Groups: []string{"system:masters"}}, nil); err != nil {
		return err
	}
	if admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}},
	}
	for _, pattern := range []string{"*/*.yaml", "../controller/r*.yaml", "../agent/r*.yaml", "../edge/namespace.yaml", "../edge/r*.yaml"} {
		more, err := read(pattern)
		if err != nil {
			return err
		}
		objects = append(objects, more...)
	}
	for _, o := range objects {
		if err := admin.Create(context.Background(), o); err != nil {
			return fmt.Errorf("create %T %q: %w", o, o.GetName(), err)
		}
	}
	return nil
}

// read returns the objects of the files that match.
func read(pattern string) ([]client.Object, error) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no file matches %q: %w", pattern, err)
	}
	var all []client.Object
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, document := range bytes.Split(bytes.TrimPrefix(text, []byte("---\n")), []byte("\n---\n")) {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &o.Object); err != nil {
				return nil, fmt.Errorf("parse %q: %w", file, err)
			}
			all = append(all, o)
		}
	}
	return all, nil
}

// as is a client in the name of one of l2sm's service accounts, whose token
// carries the extra claims.
func as(t *testing.T, account string, extra map[string][]string) client.Client {
	t.Helper()
	c := rest.CopyConfig(config)
	c.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + v1alpha1.SystemNamespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + v1alpha1.SystemNamespace, "system:authenticated"},
		Extra:    extra,
	}
	return newClient(t, c)
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "policies-"}}
	create(t, namespace)
	return namespace.Name
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), o); err != nil {
		t.Fatalf("create %T %q: %v", o, o.GetName(), err)
	}
}

func get(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatalf("get %T %q: %v", o, o.GetName(), err)
	}
}

// eventually waits until a policy is in force.
func eventually(t *testing.T, check func(g Gomega)) {
	t.Helper()
	NewWithT(t).Eventually(check, patience, 100*time.Millisecond).Should(Succeed())
}
