//go:build integration

package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/logging"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

var patience = nstest.Patience(20 * time.Second)

// asn is all sides'.
const asn = 65000

// child is the environment of this program when it is an edge: a process of its own, since
// it has the network namespace of its node.
const child = "L2SM_EDGE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		os.Exit(beEdge())
	}
	if os.Getenv(flooder) != "" {
		os.Exit(beFlooder())
	}
	nstest.Main(m, ovstest.Unpack)
}

// childConfig is what an edge's process is told.
type childConfig struct {
	Node, OVSDB, Dir   string
	Host               string
	CA, Cert, Key      []byte
	ServerName, Metric string
}

func beEdge() int {
	var c childConfig
	if err := json.Unmarshal([]byte(os.Getenv(child)), &c); err != nil {
		panic(err)
	}
	klog.SetLogger(logging.New(false)) // client-go's
	// As its pod has it: sockets of wireguard-go are found by a path that all nodes share here.
	if err := os.MkdirAll(wireGuardSockets, 0o700); err != nil {
		panic(err)
	}
	if err := unix.Mount("tmpfs", wireGuardSockets, "tmpfs", 0, "mode=700"); err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	api, err := kube.New(&rest.Config{Host: c.Host, TLSClientConfig: rest.TLSClientConfig{CAData: c.CA, CertData: c.Cert, KeyData: c.Key, ServerName: c.ServerName}})
	if err != nil {
		panic(err)
	}
	e, err := edge.New(edge.Config{
		Node: c.Node, OVSDB: c.OVSDB, OpenFlowDir: c.Dir, BGPPort: 179, WireGuardPort: wireGuardPort, MetricsAddress: metricsAddress, ProbeAddress: "0", API: api, Log: logging.New(false),
	})
	if err != nil {
		panic(err)
	}
	if err := e.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		return 1
	}
	return 0
}

// wireGuardPort is that of all edges, wireGuardSockets where wgctrl looks for wireguard-go.
const (
	wireGuardPort    = 51830
	wireGuardSockets = "/run/wireguard"
)

// metricsAddress is that of every edge, in its own network namespace.
const metricsAddress = "127.0.0.1:9473"

// world is clusters without nodes: each an API server, an OVN, and edges. The tests write
// what controllers would.
type world struct {
	*sidestest.World
	t        testing.TB
	clusters []*cluster
}

type cluster struct {
	*sidestest.Side
	client.Client
	t        testing.TB
	config   *rest.Config
	edges    []*edgeProcess
	networks []string
}

// start starts clusters with so many edges each.
func start(t testing.TB, edges ...int) *world {
	t.Helper()
	return startOver(t, sidestest.WAN4, edges...)
}

// startOver is start with these addresses between edges.
func startOver(t testing.TB, wan netip.Prefix, edges ...int) *world {
	t.Helper()
	w := &world{t: t, clusters: make([]*cluster, len(edges))}
	var all sync.WaitGroup
	for i := range edges {
		all.Go(func() { w.clusters[i] = startAPI(t) })
	}
	w.World = sidestest.StartOver(t, wan, edges...)
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i, c := range w.clusters {
		c.Side = w.Sides[i]
		c.settings()
		for _, n := range c.Edges {
			c.edges = append(c.edges, c.edge(n))
		}
	}
	return w
}

func startAPI(t testing.TB) *cluster {
	ctrl.SetLogger(logr.Discard())
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "manifests", "crd")}, ErrorIfCRDPathMissing: true}
	env.ControlPlaneStartTimeout = 2 * time.Minute // three start at once, on two cores
	env.ControlPlane.GetAPIServer().Configure().Set("advertise-address", "192.0.2.1")
	config, err := env.Start()
	if err != nil {
		t.Errorf("start kube-apiserver and etcd: %v", err)
		return nil
	}
	t.Cleanup(func() { _ = env.Stop() })
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Error(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Error(err)
	}
	return &cluster{Client: c, t: t, config: config}
}

func (c *cluster) create(o client.Object) {
	c.t.Helper()
	if err := c.Create(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) status(o client.Object) {
	c.t.Helper()
	if err := c.Status().Update(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
}

// settings are the L2Edge, as the controller completes it.
func (c *cluster) settings() {
	c.t.Helper()
	for _, ns := range []string{v1alpha1.SystemNamespace, v1alpha1.EdgeNamespace} {
		c.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
	}
	e := &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}}
	e.Spec.NodeSelector, e.Spec.ASN = map[string]string{"l2sm.io/edge": ""}, asn
	c.create(e)
	for _, n := range c.Edges {
		e.Status.Nodes = append(e.Status.Nodes, v1alpha1.EdgeNode{Name: n.Name, Address: n.WAN.String()})
	}
	c.status(e)
}

// peer is the L2Peer of another cluster.
func (c *cluster) peer(name string, other *cluster, change ...func(*v1alpha1.L2PeerSpec)) {
	c.t.Helper()
	p := &v1alpha1.L2Peer{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.ASN, p.Spec.VNIs = asn, []v1alpha1.VNIRange{{First: 5000, Last: 5099}}
	for _, n := range other.Edges {
		p.Spec.Endpoints = append(p.Spec.Endpoints, v1alpha1.PeerEndpoint{Address: n.WAN.String()})
	}
	for _, f := range change {
		f(&p.Spec)
	}
	c.create(p)
}

// peersOf has a cluster know all others, by their names a, b, c.
func (w *world) peersOf(c *cluster) (names []string) {
	w.t.Helper()
	for i, other := range w.clusters {
		if other != c {
			name := string(rune('a' + i))
			c.peer(name, other)
			names = append(names, name)
		}
	}
	return names
}

func (c *cluster) secret(name, password string) {
	c.t.Helper()
	c.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.EdgeNamespace, Name: name},
		Data:       map[string][]byte{v1alpha1.PasswordKey: []byte(password)},
	})
}

// network is an L2Network that both sides agree on, its switch and its way out.
func (c *cluster) network(name string, id int32, peers ...string) {
	c.t.Helper()
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	n.Spec.Stretch = &v1alpha1.Stretch{ID: id, Peers: peers}
	c.create(n)
	n.Status.Stretch, n.Status.MTU = &v1alpha1.StretchStatus{ID: id}, sidestest.PodMTU
	for _, p := range peers {
		n.Status.Stretch.Peers = append(n.Status.Stretch.Peers, v1alpha1.StretchPeer{Name: p})
	}
	c.status(n)
	c.Network("default/" + name)
	c.networks = append(c.networks, "default/"+name)
}

// bindTo has all ways out of the cluster be the node's.
func (c *cluster) bindTo(n *sidestest.Node) {
	for _, name := range c.networks {
		c.EdgePort(name, n)
	}
}

// pod is a pod of the worker's with its L2Attachment.
func (c *cluster) pod(network, name, mac string, addresses ...string) *sidestest.Pod {
	c.t.Helper()
	p := c.Pod(c.Worker, "default/"+network, mac, addresses...)
	c.attach(network, name, mac, addresses...)
	return p
}

// openPod is pod with port security Disabled: it sends the tests' own frames.
func (c *cluster) openPod(network, name, mac string, addresses ...string) *sidestest.Pod {
	c.t.Helper()
	p := c.OpenPod(c.Worker, "default/"+network, mac, addresses...)
	c.attach(network, name, mac, addresses...)
	return p
}

func (c *cluster) attach(network, name, mac string, addresses ...string) {
	c.t.Helper()
	a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	a.Spec.Network.Name, a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName = network, name, "uid-"+"of-"+"pod", c.Worker.Name
	a.Spec.Interface, a.Spec.MACAddress, a.Spec.Addresses = "net1", mac, addresses
	c.create(a)
	a.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: network}
	c.status(a)
}

func (c *cluster) detach(name string) {
	c.t.Helper()
	if err := c.Delete(c.t.Context(), &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}); err != nil {
		c.t.Fatal(err)
	}
}

// holder is who has the Lease.
func (c *cluster) holder() string {
	var lease coordinationv1.Lease
	if err := c.Get(c.t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.EdgeLease}, &lease); err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func (c *cluster) eventually(f func(gomega.Gomega)) {
	c.t.Helper()
	gomega.NewWithT(c.t).Eventually(f, patience, "20ms").Should(gomega.Succeed())
}

// edgeProcess is l2sm-edge on a node.
type edgeProcess struct {
	node *sidestest.Node
	c    *cluster
	cmd  *exec.Cmd
	// door is the way to the API server.
	door *door
}

func (c *cluster) edge(n *sidestest.Node) *edgeProcess {
	c.t.Helper()
	e := &edgeProcess{node: n, c: c, door: openDoor(c.t, n.NetNS, strings.Trim(strings.TrimPrefix(c.config.Host, "https:"), "/"))}
	e.run()
	c.t.Cleanup(e.kill)
	return e
}

func (e *edgeProcess) run() {
	e.c.t.Helper()
	text, err := json.Marshal(childConfig{
		Node: e.node.Name, OVSDB: e.node.Endpoint(), Dir: filepath.Dir(e.node.Management()), Host: "https://" + e.door.address,
		CA: e.c.config.CAData, Cert: e.c.config.CertData, Key: e.c.config.KeyData, ServerName: "127.0.0.1",
	})
	if err != nil {
		e.c.t.Fatal(err)
	}
	e.cmd = exec.Command("/proc/self/exe")
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	e.cmd.Env = append(os.Environ(), child+"="+string(text))
	log, err := os.OpenFile(filepath.Join(os.TempDir(), e.node.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.c.t.Fatal(err)
	}
	e.cmd.Stdout, e.cmd.Stderr = log, log
	nstest.Do(e.c.t, e.node.NetNS, e.cmd.Start)
}

func (e *edgeProcess) kill() {
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
	e.cmd = nil
	if e.c.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(os.TempDir(), e.node.Name+".log"))
		e.c.t.Logf("log of %s:\n%s", e.node.Name, text)
	}
}

// door is a way out of a network namespace to one address.
type door struct {
	address string
	mu      sync.Mutex
	shut    bool
	through map[net.Conn]bool
}

func openDoor(t testing.TB, netns, to string) *door {
	t.Helper()
	var l net.Listener
	nstest.Do(t, netns, func() error {
		var err error
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	t.Cleanup(func() { _ = l.Close() })
	d := &door{address: l.Addr().String(), through: map[net.Conn]bool{}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil || !d.enter(in) {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return d
}

func (d *door) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.through[c] = true
	return !d.shut
}

// close lets nobody through until open.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for c := range d.through {
		_ = c.Close()
	}
	clear(d.through)
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = false
}
