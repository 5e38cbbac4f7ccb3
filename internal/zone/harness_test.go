//go:build integration

package zone_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/internal/zone"
)

var patience = nstest.Patience(15 * time.Second)

// config is how the API server is reached that all tests share; each has a
// namespace.
var config *rest.Config

func TestMain(m *testing.M) { nstest.Main(m, ovstest.Unpack, startAPI) }

// startAPI leaves the server to the end of the process, which takes it along.
func startAPI() error {
	ctrl.SetLogger(logr.Discard())
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "manifests", "crd")}, ErrorIfCRDPathMissing: true}
	// There is no default route that the server could find its address by.
	env.ControlPlane.GetAPIServer().Configure().Set("advertise-address", "192.0.2.1")
	started, err := env.Start()
	if err != nil {
		return fmt.Errorf("start kube-apiserver and etcd: %w; KUBEBUILDER_ASSETS must name the folder of their binaries, and `make test-integration` sets it", err)
	}
	config = started
	return nil
}

// world is an API server with zones, and a writer for each. The tests write what
// the controller would.
type world struct {
	t testing.TB
	client.Client
	underlay  *ovstest.Underlay
	zones     map[string]*node
	namespace string
	keys      int32
}

// node is a zone with its writer.
type node struct {
	*ovstest.Zone
	world  *world
	fabric v1alpha1.Fabric
	writer *zone.Writer
	stop   func()
	// taken is what the writer said last of tunnel keys.
	taken atomic.Pointer[error]
	// told are what the writer told pods, each after the pod's name.
	told chan string
	// pause is for how long OVN does not learn after a flood, zero for as long as
	// always.
	pause time.Duration
}

// networkKeys are those of all tests' networks: no two are equal.
var networkKeys int32 = 16_000_000

func start(t testing.TB, nodes ...string) *world {
	t.Helper()
	w := &world{t: t, Client: newClient(t), underlay: ovstest.NewUnderlay(t), zones: map[string]*node{}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.create(ns)
	w.namespace = ns.Name
	for _, name := range nodes {
		n := &node{Zone: w.underlay.Zone(name), world: w, fabric: v1alpha1.FabricZones}
		w.zones[name] = n
		w.tunnels(name, n.Address)
		n.write(0)
	}
	t.Cleanup(w.clear)
	return w
}

func newClient(t testing.TB) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clear leaves nothing of the test's in the API server.
func (w *world) clear() {
	for _, n := range w.zones {
		n.stop()
	}
	ctx := context.Background()
	for _, kind := range []client.Object{&v1alpha1.L2Attachment{}, &v1alpha1.L2Network{}} {
		if err := w.DeleteAllOf(ctx, kind, client.InNamespace(w.namespace)); err != nil {
			w.t.Error(err)
		}
	}
	if err := w.DeleteAllOf(ctx, &v1alpha1.L2Node{}); err != nil {
		w.t.Error(err)
	}
}

func (w *world) create(o client.Object) {
	w.t.Helper()
	if err := w.Create(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

// tunnels has the node's L2Node say where its tunnels start.
func (w *world) tunnels(name string, addresses ...string) {
	w.t.Helper()
	n := &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := client.IgnoreAlreadyExists(w.Create(w.t.Context(), n)); err != nil {
		w.t.Fatal(err)
	}
	n.Status = v1alpha1.L2NodeStatus{Chassis: name, TunnelAddresses: addresses}
	w.status(n)
}

// status writes an object's status over whatever there is.
func (w *world) status(o client.Object) {
	w.t.Helper()
	patch := o.DeepCopyObject().(client.Object)
	patch.SetResourceVersion("")
	patch.SetManagedFields(nil)
	gvk, err := w.GroupVersionKindFor(o)
	if err != nil {
		w.t.Fatal(err)
	}
	patch.GetObjectKind().SetGroupVersionKind(gvk)
	if err := w.Status().Patch(w.t.Context(), patch, client.Apply, client.FieldOwner("test"), client.ForceOwnership); err != nil { //nolint:staticcheck // what it is replaced by needs generated types
		w.t.Fatal(err)
	}
	if err := w.Get(w.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		w.t.Fatal(err)
	}
}

// slow is an API server that answers about networks after a while.
type slow struct {
	http.RoundTripper
	by time.Duration
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/l2networks") {
		time.Sleep(s.by)
	}
	return s.RoundTripper.RoundTrip(r)
}

// write starts the node's writer, as its agent does. It learns of networks after the
// lag.
func (n *node) write(lag time.Duration) {
	t := n.world.t
	t.Helper()
	config := rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return slow{next, lag} })
	n.told = make(chan string, 16)
	log := testr.NewWithInterface(t, testr.Options{}).WithName(n.Name)
	api, err := kube.New(config)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := api.Node(n.Name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zone.New(zone.Config{
		Node: n.Name, Fabric: n.fabric, Northbound: []string{n.Northbound()}, Southbound: []string{n.Southbound()},
		MaxMTU: 1442, API: api, Cache: cache, Log: log, KeysTaken: func(err error) { n.taken.Store(&err) },
		Tell: func(_ context.Context, a *v1alpha1.L2Attachment, e v1alpha1.Event) {
			n.told <- a.Spec.PodName + ": " + e.Reason
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n.pause > 0 {
		w.PauseLearning(n.pause)
	}
	n.writer = w
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() {
		cache.Run(ctx, func() {})
		ended <- nil
	}()
	go func() { ended <- w.Run(ctx) }()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("the writer of %s ended with: %v", n.Name, err)
			}
		}
	}
}

// network makes a network with a key.
func (w *world) network(name string, change ...func(*v1alpha1.L2NetworkSpec)) *v1alpha1.L2Network {
	w.t.Helper()
	n := &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec:       v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24", "fd10::/64"}}},
	}
	for _, f := range change {
		f(&n.Spec)
	}
	w.create(n)
	networkKeys++
	n.Status = v1alpha1.L2NetworkStatus{TunnelKey: networkKeys, InForce: &n.Spec, MTU: 1442}
	w.status(n)
	return n
}

// endpoint is a pod with one interface.
type endpoint struct {
	*v1alpha1.L2Attachment
	node   *node
	netns  string
	mac    net.HardwareAddr
	v4, v6 netip.Addr
}

// attach makes the n-th attachment on the network, bound to a pod of the node.
func (w *world) attach(network *v1alpha1.L2Network, on string, n byte) *endpoint {
	w.t.Helper()
	return w.attachAs(fmt.Sprintf("pod-%d", n), network, on, n)
}

// attachAs is attach for a pod of any name.
func (w *world) attachAs(name string, network *v1alpha1.L2Network, on string, n byte) *endpoint {
	w.t.Helper()
	e := &endpoint{
		node: w.zones[on], mac: net.HardwareAddr{0x0a, 0x58, 10, 0, 0, n},
		v4: netip.AddrFrom4([4]byte{10, 0, 0, n}), v6: netip.MustParseAddr(fmt.Sprintf("fd10::%x", n)),
	}
	e.L2Attachment = &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: name, PodUID: types.UID(w.namespace + "-" + name), NodeName: on, Network: v1alpha1.NetworkReference{Name: network.Name},
			Interface: "net1", MACAddress: e.mac.String(), Addresses: []string{e.v4.String() + "/24", e.v6.String() + "/64"},
		},
	}
	w.create(e.L2Attachment)
	w.put(e, network)
	return e
}

// put says that the attachment's port is on the network.
func (w *world) put(e *endpoint, network *v1alpha1.L2Network) {
	w.t.Helper()
	w.keys++
	e.Status.Network = &v1alpha1.NetworkReference{Namespace: network.Namespace, Name: network.Name}
	e.Status.TunnelKey, e.Status.MTU, e.Status.PortName = w.keys, 1442, e.PortName()
	w.status(e.L2Attachment)
}

// plug wires the pod, as an agent does, and waits until OVN has its port.
func (e *endpoint) plug() *endpoint {
	t := e.node.world.t
	t.Helper()
	if e.netns == "" {
		e.netns = nstest.NewNS(t)
	}
	host := "l2" + e.Name
	end := link.HostEnd{Name: host, Owner: link.NewOwner(host, "net1", "l2sm")}
	want := link.Interface{Name: "net1", MAC: e.mac, MTU: 1442, Addresses: []netip.Prefix{netip.PrefixFrom(e.v4, 24), netip.PrefixFrom(e.v6, 64)}}
	nstest.Do(t, e.node.NetNS, func() error { return link.New("/proc/sys").Create(end, e.netns, want, ovstest.HostEnds()) })
	e.node.Ctl("add-port", "br-int", host, "--", "set", "Interface", host,
		"external_ids:iface-id="+e.PortName(), "external_ids:iface-id-ver="+string(e.Spec.PodUID))
	gomega.NewWithT(t).Eventually(func() string { return e.node.Ctl("get", "Interface", host, "external_ids") }, patience, "20ms").
		Should(gomega.ContainSubstring(`ovn-installed="true"`))
	return e
}

// pings says whether an answer to one ping arrives within a second.
func (e *endpoint) pings(to netip.Addr, options ...string) bool {
	t := e.node.world.t
	t.Helper()
	var failure error
	nstest.Do(t, e.netns, func() error {
		failure = exec.Command("ping", append([]string{"-c1", "-W1", "-n", to.String()}, options...)...).Run()
		return nil
	})
	return failure == nil
}

func (w *world) reaches(from, to *endpoint) {
	w.t.Helper()
	g := gomega.NewWithT(w.t)
	g.Eventually(func() bool { return from.pings(to.v4) }, patience, "10ms").Should(gomega.BeTrue(), "%s pings %s", from.Name, to.v4)
	g.Eventually(func() bool { return from.pings(to.v6) }, patience, "10ms").Should(gomega.BeTrue(), "%s pings %s", from.Name, to.v6)
}

// switches are the names of our switches in the zone.
func (n *node) switches() []string {
	return strings.Fields(n.NB("--bare", "--columns=name", "find", "Logical_Switch", `external_ids:"l2sm.io/network"!=""`))
}

// portNames are the ports of the zone's northbound database.
func (n *node) portNames() string {
	return n.NB("--bare", "--columns=name", "list", "Logical_Switch_Port")
}
