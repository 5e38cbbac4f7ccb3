//go:build integration

package audit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/pki"
	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func startAPI(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), nadv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "manifests", "crd")}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop kube-apiserver: %v", err)
		}
	})
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// answer serves an inventory by a certificate that bears the name, to whoever
// shows a token that the API server knows as the auditor's, and returns its
// port.
func answer[T any](t *testing.T, api client.Client, authority *pki.Authority, name string, content T) int32 {
	t.Helper()
	pair, err := authority.Endpoint(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	all := inventory.Handler(func(context.Context) (T, error) { return content, nil })
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &authenticationv1.TokenReview{}
		review.Spec.Token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		err := api.Create(r.Context(), review)
		if err != nil || review.Status.User.Username != "system:serviceaccount:l2sm-system:l2sm-audit" {
			http.Error(w, "not you", http.StatusUnauthorized)
			return
		}
		all.ServeHTTP(w, r)
	})}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(port)
}

// run makes a pod of l2sm's that runs at 127.0.0.1, with its metrics on the
// port.
func run(t *testing.T, api client.Client, program, name, node string, port int32) {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "l2sm-system", Name: name, Labels: map[string]string{"app.kubernetes.io/name": program}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: "c", Image: "none", Ports: []corev1.ContainerPort{{Name: metricsPort, ContainerPort: port}},
		}}},
	}
	if err := api.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.Status.PodIP, p.Status.PodIPs = "127.0.0.1", []corev1.PodIP{{IP: "127.0.0.1"}}
	if err := api.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func TestGather(t *testing.T) {
	api := startAPI(t)
	northbound, southbound := ovntest.NewNorthbound(t), ovntest.NewSouthbound(t)
	ours, other := newAuthority(t), newAuthority(t)
	network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net"}}
	attachment := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: "p", PodUID: "u", NodeName: "node-c", Network: v1alpha1.NetworkReference{Name: "net"}},
	}
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "l2sm-system"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "l2sm-system", Name: ServiceAccount}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "l2sm-system", Name: "default"}},
		network, attachment,
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-b"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-c"}},
	} {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	agent := inventory.Node{Node: "node-a", HostEnds: []inventory.HostEnd{{Name: "l2p"}}}
	leader := inventory.Controller{Leads: true, Leases: []inventory.Lease{{Network: "default/net", Owner: "default/a"}}}
	run(t, api, inventory.AgentName, "agent-a", "node-a", answer(t, api, ours, inventory.AgentName, agent))
	run(t, api, inventory.AgentName, "agent-b", "node-b", answer(t, api, other, inventory.AgentName, agent))
	run(t, api, inventory.ControllerName, "one", "node-a", answer(t, api, ours, inventory.ControllerName, leader))
	run(t, api, inventory.ControllerName, "two", "node-b", answer(t, api, ours, inventory.ControllerName, inventory.Controller{}))
	run(t, api, inventory.ControllerName, "three", "node-b", answer(t, api, ours, inventory.AgentName, leader))
	northbound.Ctl("ls-add", "l2sm/default/net")
	southbound.Ctl("chassis-add", "node-a", "geneve", "192.0.2.1", "--", "set", "Chassis", "node-a", "other_config:ovn-cms-options="+ovn.ChassisMark)

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ours.Pair().Certificate)
	web, err := NewWeb(t.Context(), api, "l2sm-system", roots)
	if err != nil {
		t.Fatal(err)
	}
	sources := Sources{
		API: api, Fabric: v1alpha1.FabricCentral, Namespace: "l2sm-system", MaxMTU: maxMTU, Ask: web,
		Northbound: ovn.Config{Endpoints: []string{northbound.Endpoint()}},
		Southbound: ovn.Config{Endpoints: []string{southbound.Endpoint()}},
	}
	f, err := sources.Gather(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if len(f.Networks) != 1 || len(f.Attachments) != 1 || len(f.Pods) != 5 {
		t.Errorf("want 1 network, 1 attachment and 5 pods, got %d, %d and %d", len(f.Networks), len(f.Attachments), len(f.Pods))
	}
	if diff := cmp.Diff([]string{"node-a", "node-b", "node-c"}, f.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ovn.ListedSwitch{{Name: "l2sm/default/net"}}, f.Northbound.Switches); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"node-a"}, f.Southbound.Chassis); diff != "" {
		t.Errorf("chassis (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]inventory.Node{"node-a": agent}, f.Agents); diff != "" {
		t.Errorf("agents, of which only one has a certificate of our authority (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]inventory.Controller{leader}, f.Leaders); diff != "" {
		t.Errorf("leaders, of which only one bears a controller's name (-want +got):\n%s", diff)
	}
	var unseen []string
	for _, u := range f.Unseen {
		unseen = append(unseen, u.Where)
	}
	if diff := cmp.Diff([]string{"node node-b", "node node-c", "pod l2sm-system/three"}, unseen); diff != "" {
		t.Errorf("places that were not looked at (-want +got):\n%s", diff)
	}

	southbound.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	sources.Northbound.Endpoints = sources.Southbound.Endpoints
	if _, err := sources.Look(ctx); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("without a database nothing can be said: got %v", err)
	}

	// Where nodes have databases of their own no central one is asked, and an agent that
	// tells of none has not said all.
	if err := api.Create(t.Context(), &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a"}}); err != nil {
		t.Fatal(err)
	}
	sources.Fabric, sources.Northbound, sources.Southbound = v1alpha1.FabricZones, ovn.Config{}, ovn.Config{}
	if f, err = sources.Gather(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.L2Nodes) != 1 || len(f.Agents) != 0 {
		t.Errorf("want an L2Node and no agent, got %v and %v", f.L2Nodes, f.Agents)
	}
	const why = "its agent tells of no databases of its own: is its setting FABRIC another than Zones?"
	if !slices.Contains(f.Unseen, Discrepancy{Where: "node node-a", What: why}) {
		t.Errorf("want node-a among what was not looked at, got %v", f.Unseen)
	}
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
