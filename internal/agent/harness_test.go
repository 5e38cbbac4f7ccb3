//go:build integration

package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/cri/critest"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

const (
	nodeName    = "node-a"
	underlayMTU = 1500
	// refusalFile is where ovn-node says why it does not start.
	refusalFile = "/run/refusal"
)

// patience is how long a test waits for what must happen.
var patience = nstest.Patience(20 * time.Second)

var (
	scheme = runtime.NewScheme()
	// api is the API server that all tests share; each has a namespace. kubeconfig
	// is how a program reaches it.
	api        *rest.Config
	kubeconfig []byte
	// plugin is the CNI plugin, built.
	plugin = "/run/l2sm-plugin"
)

func TestMain(m *testing.M) { nstest.Main(m, buildPlugin, startAPI) }

// startAPI leaves the server to the end of the process, which takes it along.
func startAPI() error {
	ctrl.SetLogger(logr.Discard())
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	if folder := os.Getenv(apiVariable); folder != "" {
		return joinAPI(folder)
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "manifests", "crd")},
		ErrorIfCRDPathMissing: true,
	}
	// There is no default route that the server could find its address by.
	env.ControlPlane.GetAPIServer().Configure().Set("advertise-address", "192.0.2.1")
	started, err := env.Start()
	if err != nil {
		return fmt.Errorf("start kube-apiserver and etcd: %w; KUBEBUILDER_ASSETS must name the folder of their binaries, and `make test` sets it", err)
	}
	api, kubeconfig = started, env.KubeConfig
	c, err := client.New(api, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	return c.Create(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}})
}

// world is a node with a real Open vSwitch and OVN, and an agent on it. The
// tests write what the controller would: attachments and logical ports.
type world struct {
	t testing.TB
	client.Client
	*ovstest.OVN
	// runtime is a fake: it lists the sandboxes that tests put there.
	runtime   *critest.Fake
	namespace string
	// mtus are those of the networks, by name, in bytes.
	mtus map[string]int32
	// routed says that the networks allow role Router, and that attachments have
	// it.
	routed    bool
	stopAgent func()
	// killAgent has the agent do nothing any more: what it is doing, a step
	// that a test has stopped, is never finished.
	killAgent func()
	// lag, while it is locked, keeps what happens from the agent's caches.
	lag sync.RWMutex
}

// start makes a world that ends with the test. change sees the agent's
// configuration.
func start(t testing.TB, change ...func(*agent.Config)) *world {
	t.Helper()
	w := startNode(t)
	w.startAgent(change...)
	return w
}

// startNode makes a world without an agent.
func startNode(t testing.TB) *world {
	t.Helper()
	c, err := client.New(api, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, Client: c, OVN: ovstest.StartOVN(t), runtime: critest.Start(t), mtus: map[string]int32{}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.create(ns)
	w.namespace = ns.Name
	// Links go some time after the last test's network namespaces.
	NewWithT(t).Eventually(w.left, patience, "10ms").Should(BeEmpty())
	return w
}

func (w *world) startAgent(change ...func(*agent.Config)) {
	w.t.Helper()
	c := agent.Config{Node: nodeName, Fabric: v1alpha1.FabricCentral, CNISocket: cni.Socket, CRI: w.runtime.Socket(), OVSDB: w.Endpoint(), UnderlayMTU: underlayMTU, SysctlRoot: "/proc/sys", MetricsAddress: "0", ProbeAddress: "0",
		AttachBy: v1alpha1.AttachMultus, RefusalFile: refusalFile, Version: "test"}
	for _, f := range change {
		f(&c)
	}
	a, err := agent.New(w.lagging(), c, w.logger())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	w.stopAgent = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the agent ended with: %v", err)
		}
	}
	w.killAgent = func() {
		stopped = true
		cancel()
		NewWithT(w.t).Eventually(w.answers, patience, "1ms").ShouldNot(Succeed(), "or the next one's answers would be its")
	}
	w.t.Cleanup(w.stopAgent)
	NewWithT(w.t).Eventually(w.answers, patience, "10ms").Should(Succeed(), "the agent must get ready")
}

// answers says whether an agent serves the plugin.
func (w *world) answers() error {
	_, err := cni.Do(w.t.Context(), cni.Socket, cni.Request{Command: cni.Status, Config: json.RawMessage(`{"name":"l2sm"}`)})
	return err
}

// lagging is the API server's address for an agent whose watches hear nothing
// while lag is locked.
func (w *world) lagging() *rest.Config {
	config := rest.CopyConfig(api)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return laggingTransport{next, &w.lag} })
	return config
}

type laggingTransport struct {
	http.RoundTripper
	lag *sync.RWMutex
}

func (l laggingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err == nil && r.URL.Query().Get("watch") != "" {
		response.Body = laggingBody{response.Body, l.lag}
	}
	return response, err
}

type laggingBody struct {
	io.ReadCloser
	lag *sync.RWMutex
}

func (l laggingBody) Read(into []byte) (int, error) {
	n, err := l.ReadCloser.Read(into)
	l.lag.RLock()
	defer l.lag.RUnlock()
	return n, err
}

// cachesLag has nothing reach the agent's caches until the returned function is
// called.
func (w *world) cachesLag() (catchUp func()) {
	w.t.Helper()
	w.lag.Lock()
	catchUp = sync.OnceFunc(w.lag.Unlock)
	w.t.Cleanup(catchUp)
	return catchUp
}

func (w *world) logger() logr.Logger {
	if os.Getenv("L2SM_TEST_LOG") == "" {
		return logr.Discard()
	}
	return testr.NewWithInterface(w.t, testr.Options{})
}

func (w *world) create(o client.Object) {
	w.t.Helper()
	if err := w.Create(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

// network is one that the controller grants attachments on. There is no
// L2Network: an agent reads none.
func (w *world) network(name string, mtu ...int32) {
	w.mtus[name] = underlayMTU - 58
	for _, m := range mtu {
		w.mtus[name] = m
	}
}

// pod is a pod of the node that asks by annotation.
func (w *world) pod(name, networks string) *corev1.Pod {
	w.t.Helper()
	return w.annotatedPod(name, map[string]string{"l2sm.io/networks": networks, "k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm"})
}

func (w *world) annotatedPod(name string, annotations map[string]string) *corev1.Pod {
	w.t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Annotations: annotations},
		Spec:       corev1.PodSpec{NodeName: nodeName, Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	w.create(p)
	return p
}

// attachment is what the controller writes for an interface that the pod's
// annotations ask for, or else a user: with address 10.0.0.n and its MAC, on a
// network of the namespace.
func (w *world) attachment(p *corev1.Pod, network, iface string, n int) *v1alpha1.L2Attachment {
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: attach.Name(p.Name, p.UID, iface)},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: p.Name, PodUID: p.UID, NodeName: nodeName, Interface: iface,
			Network:    v1alpha1.NetworkReference{Name: network},
			MACAddress: fmt.Sprintf("0a:58:0a:00:00:%02x", n),
			Addresses:  []string{fmt.Sprintf("10.0.0.%d/24", n), fmt.Sprintf("fd10::%d/64", n)},
		},
	}
	requests, err := attach.Parse(p)
	if err != nil {
		return a // what the pod asks for can't be read
	}
	for _, r := range append(requests.Own, requests.Multus...) {
		if r.Interface == iface {
			a.Annotations = map[string]string{v1alpha1.EntryAnnotation: r.Entry}
			a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID, Controller: new(true)}}
		}
	}
	return a
}

// attach does the controller's whole work for an interface.
func (w *world) attach(p *corev1.Pod, network, iface string, n int) *v1alpha1.L2Attachment {
	w.t.Helper()
	a := w.attachment(p, network, iface, n)
	w.create(a)
	w.grant(a)
	w.logicalPort(a)
	w.accept(a)
	return a
}

// change changes the attachment's spec, as a user or the controller does.
func (w *world) change(a *v1alpha1.L2Attachment, f func(*v1alpha1.L2Attachment)) {
	w.t.Helper()
	before := a.DeepCopy()
	f(a)
	if err := w.Patch(w.t.Context(), a, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

// grant writes the controller's status of an attachment that is about to get
// its port.
func (w *world) grant(a *v1alpha1.L2Attachment) {
	w.t.Helper()
	w.applyStatus(a, map[string]any{"mtu": int64(w.mtus[a.Spec.Network.Name])})
}

// accept writes the controller's status of an attachment that has its port.
func (w *world) accept(a *v1alpha1.L2Attachment) {
	w.t.Helper()
	w.status(a, v1alpha1.AttachmentAccepted(), a.Spec.Network.Name)
}

// refuse writes the controller's status of an attachment that has no port, or
// stays on another network than it asks for.
func (w *world) refuse(a *v1alpha1.L2Attachment, why metav1.Condition, stays ...string) {
	w.t.Helper()
	w.status(a, why, stays...)
}

// status is the controller's part, as it applies it.
func (w *world) status(a *v1alpha1.L2Attachment, accepted metav1.Condition, network ...string) {
	w.t.Helper()
	is := &v1alpha1.L2Attachment{}
	if err := w.Get(w.t.Context(), client.ObjectKeyFromObject(a), is); err != nil {
		w.t.Fatal(err)
	}
	accepted.LastTransitionTime, accepted.ObservedGeneration = metav1.Now(), is.Generation
	condition, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&accepted)
	if err != nil {
		w.t.Fatal(err)
	}
	status := map[string]any{"conditions": []any{condition}}
	if len(network) > 0 {
		status["network"] = map[string]any{"namespace": a.Namespace, "name": network[0]}
		status["portName"] = "l2sm/" + a.Namespace + "/" + a.Name
		status["mtu"] = int64(w.mtus[network[0]])
		status["acceptRouterAdvertisements"], status["sendRouterAdvertisements"] = w.routed, w.routed
	}
	w.applyStatus(a, status)
}

func (w *world) applyStatus(a *v1alpha1.L2Attachment, status map[string]any) {
	w.t.Helper()
	part := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": a.Namespace, "name": a.Name}, "status": status,
	}}
	part.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("L2Attachment"))
	err := w.Status().Apply(w.t.Context(), client.ApplyConfigurationFromUnstructured(part), client.FieldOwner("l2sm-controller"), client.ForceOwnership)
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) logicalPort(a *v1alpha1.L2Attachment) {
	w.t.Helper()
	var addresses []string
	for _, text := range a.Spec.Addresses {
		addresses = append(addresses, netip.MustParsePrefix(text).Addr().String())
	}
	w.AddPort("l2sm/"+a.Namespace+"/"+a.Spec.Network.Name, "l2sm/"+a.Namespace+"/"+a.Name, a.Spec.MACAddress, addresses...)
}

// sandbox is one life of a pod's sandbox, as the runtime sees it.
type sandbox struct {
	*world
	pod *corev1.Pod
	// uid of the pod that the kubelet knows.
	uid       string
	container string
	netns     string
	ifname    string
	config    string
}

func (w *world) sandbox(p *corev1.Pod, container string) *sandbox {
	w.t.Helper()
	return &sandbox{
		world: w, pod: p, uid: string(p.UID), container: container, netns: nstest.NewNS(w.t), ifname: "net1",
		config: `{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm"}`,
	}
}

// is tells the runtime that the sandbox is there, and the pod's status, as the
// kubelet does then.
func (s *sandbox) is(ready bool) {
	s.t.Helper()
	s.runtime.Put(cri.Sandbox{
		ID: s.container, PodNamespace: s.pod.Namespace, PodName: s.pod.Name, PodUID: s.uid, Ready: ready, Created: time.Now(),
	}, s.netns)
	s.kubeletSpeaks()
}

// kubeletSpeaks changes the pod's status.
func (s *sandbox) kubeletSpeaks() {
	s.t.Helper()
	p := s.pod.DeepCopy()
	p.Status.Message = fmt.Sprintf("status of %v", time.Now())
	if err := s.Status().Update(s.t.Context(), p); client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
	s.pod.ResourceVersion = p.ResourceVersion
}

// command is the plugin as the runtime starts it.
func (s *sandbox) command(verb string) *exec.Cmd {
	cmd := exec.Command(plugin)
	cmd.Env = []string{
		"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + s.container, "CNI_NETNS=" + s.netns, "CNI_IFNAME=" + s.ifname, "CNI_PATH=/opt/cni/bin",
		fmt.Sprintf("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s", s.pod.Namespace, s.pod.Name, s.uid),
	}
	cmd.Stdin = strings.NewReader(s.config)
	return cmd
}

// run runs the plugin: it returns what it prints, or the error it prints.
func (s *sandbox) run(verb string) ([]byte, *types.Error) {
	s.t.Helper()
	cmd := s.command(verb)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("run the plugin: %v", err)
	}
	if err == nil {
		return out.Bytes(), nil
	}
	e := &types.Error{}
	if err := json.Unmarshal(out.Bytes(), e); err != nil {
		s.t.Fatalf("%s failed with %q %q: %v", verb, out.String(), errs.String(), err)
	}
	return nil, e
}

func (s *sandbox) add() *types100.Result {
	s.t.Helper()
	out, e := s.run("ADD")
	if e != nil {
		s.t.Fatalf("ADD: code %d: %s", e.Code, e.Msg)
	}
	result := &types100.Result{}
	if err := json.Unmarshal(out, result); err != nil {
		s.t.Fatalf("ADD printed %q: %v", out, err)
	}
	return result
}

// ok runs a command that must succeed.
func (s *sandbox) ok(verb string) {
	s.t.Helper()
	if _, e := s.run(verb); e != nil {
		s.t.Errorf("%s: code %d: %s", verb, e.Code, e.Msg)
	}
}

// fails runs a command that must fail with the code, and say the text.
func (s *sandbox) fails(verb string, code uint, text string) {
	s.t.Helper()
	out, e := s.run(verb)
	if e == nil {
		s.t.Fatalf("%s succeeded and printed %q, want an error that says %q", verb, out, text)
	}
	if e.Code != code || !strings.Contains(e.Msg, text) {
		s.t.Errorf("%s failed with code %d: %s; want code %d and a message that says %q", verb, e.Code, e.Msg, code, text)
	}
}

// left lists what agents have made on the node: ports and host ends.
func (w *world) left() []string {
	w.t.Helper()
	ends, err := link.New("/proc/sys").List()
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, end := range ends {
		all = append(all, "link "+end.Name)
	}
	for _, port := range w.Ports() {
		if port != "br-int" {
			all = append(all, "port "+port)
		}
	}
	return all
}

func (w *world) nothingLeft(reason string) {
	w.t.Helper()
	if left := w.left(); len(left) > 0 {
		w.t.Errorf("%s: %v are left", reason, left)
	}
}

// ready is the status and the reason of an attachment's condition Ready.
func (w *world) ready(a *v1alpha1.L2Attachment) func() string {
	return func() string {
		is := &v1alpha1.L2Attachment{}
		if err := w.Get(w.t.Context(), client.ObjectKeyFromObject(a), is); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(is.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil {
			return ""
		}
		return fmt.Sprintf("%s %s", c.Status, c.Reason)
	}
}
