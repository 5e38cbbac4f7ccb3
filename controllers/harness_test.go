//go:build integration

package controllers_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/controllers"
	"l2sm.io/l2sm/internal/tunnelkey"
	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

const maxMTU = 1442

// multusCRD is Multus' kind, which a cluster may lack.
var multusCRD = filepath.Join("testdata", "network-attachment-definitions.yaml")

var scheme = runtime.NewScheme()

// shared is the API server that all tests but one share. Each has namespaces of
// its own, and a controller that sees those only.
var shared *api

// api is an API server: as its administrator sees it, and the controller.
type api struct {
	*envtest.Environment
	controller *rest.Config
}

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, nadv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	logger := logr.Discard()
	if os.Getenv("L2SM_TEST_LOG") != "" {
		logger = zap.New(zap.UseDevMode(true))
	}
	ctrl.SetLogger(logger)
	var err error
	if shared, err = startAPI(multusCRD, userDefinedCRDs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop kube-apiserver:", err)
		return 1
	}
	return code
}

func startAPI(crds ...string) (*api, error) {
	return startAPIWith(func(*envtest.APIServer) {}, crds...)
}

// ownAPI is one for a test that changes which kinds there are.
func ownAPI(t *testing.T) *api {
	t.Helper()
	env, err := startAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	return env
}

func startAPIWith(change func(*envtest.APIServer), crds ...string) (*api, error) {
	env := &envtest.Environment{
		CRDDirectoryPaths:     append(crds, filepath.Join("..", "manifests", "crd")),
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
	}
	env.ControlPlane.GetAPIServer().Configure().
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		Set("service-cluster-ip-range", "10.96.0.0/16") // none of most tests' subnets, which would be warned of
	change(env.ControlPlane.GetAPIServer())
	if _, err := env.Start(); err != nil {
		return nil, fmt.Errorf("start kube-apiserver and etcd: %w; KUBEBUILDER_ASSETS must name the folder of their binaries, and `make test` sets it", err)
	}
	controller, err := grant(env)
	if err != nil {
		return nil, errors.Join(err, env.Stop())
	}
	return &api{env, controller}, nil
}

// grant gives the controller a user of its own, who may do what the manifests
// let it do and nothing else.
func grant(env *envtest.Environment) (*rest.Config, error) {
	const account = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":l2sm-controller"
	user, err := env.AddUser(envtest.User{Name: account}, &rest.Config{QPS: -1}) // as ctrl.GetConfig
	if err != nil {
		return nil, err
	}
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	all := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}}
	for _, path := range []string{
		"controller/role.yaml", "controller/rbac.yaml", "agent/role.yaml", "agent/rbac.yaml",
		"ovn-kubernetes/role.yaml", "ovn-kubernetes/rbac.yaml",
		"policies/validating/controller-definitions.yaml", "policies/validating/controller-pods.yaml", "policies/validating/controller-secrets.yaml",
	} {
		more, err := readManifest(path)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	for _, o := range all {
		if err := c.Create(context.Background(), o); err != nil {
			return nil, fmt.Errorf("create %T %s: %w", o, o.GetName(), err)
		}
	}
	return user.Config(), nil
}

// readManifest returns the objects of a file of the manifests.
func readManifest(path string) ([]client.Object, error) {
	text, err := os.ReadFile(filepath.Join("..", "manifests", path))
	if err != nil {
		return nil, err
	}
	var all []client.Object
	for _, document := range bytes.Split(bytes.TrimPrefix(text, []byte("---\n")), []byte("\n---\n")) {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &o.Object); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// world is a cluster as the controller sees it.
type world struct {
	t *testing.T
	client.Client
	NB, SB *ovntest.Server
	// namespace is the test's own, other is a second one.
	namespace, other string

	// lag is between the API server and the controller.
	lag  *lag
	api  *api
	stop func()
	// refuseOverlaps is the controller's setting, from its next start.
	refuseOverlaps bool
	// attachBy is too.
	attachBy v1alpha1.AttachBy
	// fabric is the controller's setting, Central where it is empty, and keys the
	// range of networks' tunnel keys.
	fabric v1alpha1.Fabric
	keys   tunnelkey.Range
	// control is the authority of the databases' certificates, if it has one, and
	// lifetime that of nodes'.
	control  string
	lifetime time.Duration
	// shared is the authority of v0.1.0, if it was ever installed.
	shared string
}

// start makes namespaces, databases and a running controller, which end with
// the test.
func start(t *testing.T) *world {
	t.Helper()
	return startOn(t, shared)
}

func startOn(t *testing.T, a *api) *world {
	t.Helper()
	w := &world{keys: allKeys}
	w.startOn(t, a)
	return w
}

func (w *world) startOn(t *testing.T, a *api) {
	t.Helper()
	c, err := client.New(a.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w.t, w.Client, w.api, w.lag, w.NB, w.SB = t, c, a, &lag{}, ovntest.NewNorthbound(t), ovntest.NewSouthbound(t)
	w.namespace = w.newNamespace()
	w.other = w.newNamespace()
	w.run()
	t.Cleanup(func() { w.stop() })
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

func (w *world) newNamespace() string {
	w.t.Helper()
	prefix := notInNames.ReplaceAllString(strings.ToLower(w.t.Name()), "-")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix[:min(len(prefix), 40)] + "-"}}
	if err := w.Create(w.t.Context(), namespace); err != nil {
		w.t.Fatal(err)
	}
	return namespace.Name
}

// run starts a controller process in all but name: a manager and its
// connections to both databases. w.stop ends it.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := controllers.Config{
		Fabric: cmp.Or(w.fabric, v1alpha1.FabricCentral), TunnelKeys: w.keys, MaxMTU: maxMTU, RefuseOverlaps: w.refuseOverlaps, AttachBy: w.attachBy,
		ControlAuthority: w.control, SharedAuthority: func() string { return w.shared }, NodeCertificateLifetime: w.lifetime,
	}
	hangUp := func() {}
	if !c.Fabric.Zoned() {
		hangUp = w.dial(ctx, &c)
	}
	config := rest.CopyConfig(w.api.controller)
	config.ContentType = runtime.ContentTypeJSON // an event is a line, for the lag
	config.Wrap(w.lag.wrap)
	mgr, err := ctrl.NewManager(config, w.managerOptions())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := controllers.Setup(mgr, c); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the manager ended with: %v", err)
		}
		hangUp()
	})
}

// dial connects to both databases.
func (w *world) dial(ctx context.Context, c *controllers.Config) (hangUp func()) {
	w.t.Helper()
	var err error
	if c.Northbound, err = ovn.Dial(ctx, ovn.Config{Endpoints: []string{w.NB.Endpoint()}}); err != nil {
		w.t.Fatal(err)
	}
	if c.Southbound, err = ovn.DialSouthbound(ctx, ovn.Config{Endpoints: []string{w.SB.Endpoint()}}); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		c.Northbound.Close()
		c.Southbound.Close()
	}
}

func (w *world) managerOptions() ctrl.Options {
	o := ctrl.Options{Scheme: scheme, Cache: controllers.CacheOptions(), Metrics: metricsserver.Options{BindAddress: "0"}}
	o.Cache.DefaultNamespaces = map[string]cache.Config{w.namespace: {}, w.other: {}, v1alpha1.SystemNamespace: {}}
	again := true
	o.Controller = config.Controller{SkipNameValidation: &again}
	return o
}

// restart ends the controller and starts a new one, which knows nothing.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.run()
}

// network makes an L2Network in the test's namespace.
func (w *world) network(name string, spec v1alpha1.L2NetworkSpec) *v1alpha1.L2Network {
	w.t.Helper()
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: spec}
	w.create(n)
	return n
}

func subnets(all ...string) v1alpha1.L2NetworkSpec {
	return v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: all}}
}

// pod makes a pod in the test's namespace that asks by our annotation, and
// that runs on node-a.
func (w *world) pod(name, networks string) *corev1.Pod {
	w.t.Helper()
	return w.podWith(name, map[string]string{v1alpha1.NetworksAnnotation: networks}, nil)
}

func (w *world) podWith(name string, annotations map[string]string, change func(*corev1.Pod)) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Annotations: annotations},
		Spec:       corev1.PodSpec{NodeName: "node-a", Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	if change != nil {
		change(pod)
	}
	w.create(pod)
	return pod
}

func (w *world) create(o client.Object) {
	w.t.Helper()
	if err := w.Create(w.t.Context(), o); err != nil {
		w.t.Fatalf("create %T %s: %v", o, o.GetName(), err)
	}
}

// remove deletes at once: no kubelet runs that would let a pod end.
func (w *world) remove(o client.Object) {
	w.t.Helper()
	if err := w.Delete(w.t.Context(), o, client.GracePeriodSeconds(0)); err != nil {
		w.t.Fatalf("delete %T %s: %v", o, o.GetName(), err)
	}
}

// change reads an object, changes it and writes it.
func (w *world) change(o client.Object, change func()) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(w.t.Context(), client.ObjectKeyFromObject(o), o)).To(Succeed())
		change()
		g.Expect(w.Update(w.t.Context(), o)).To(Succeed())
	})
}

// bind gives a pod its node, as the scheduler would.
func (w *world) bind(pod *corev1.Pod, node string) {
	w.t.Helper()
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}
	if err := w.SubResource("binding").Create(w.t.Context(), pod, binding); err != nil {
		w.t.Fatal(err)
	}
}

// setPhase says how a pod fares, as its kubelet would.
func (w *world) setPhase(pod *corev1.Pod, phase corev1.PodPhase) {
	w.t.Helper()
	before := pod.DeepCopy()
	pod.Status.Phase = phase
	if err := w.Status().Patch(w.t.Context(), pod, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

// setReady says that an attachment is wired, as its node's agent would.
func (w *world) setReady(a *v1alpha1.L2Attachment) {
	w.t.Helper()
	ready := v1alpha1.AttachmentReady(a.Spec.Interface)
	ready.LastTransitionTime = metav1.Now()
	status := fmt.Sprintf(`{"apiVersion":"l2sm.io/v1alpha1","kind":"L2Attachment","metadata":{"name":%q,"namespace":%q},
		"status":{"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":%q,"lastTransitionTime":%q}]}}`,
		a.Name, a.Namespace, ready.Message, ready.LastTransitionTime.UTC().Format(time.RFC3339))
	patch := client.RawPatch("application/apply-patch+yaml", []byte(status))
	if err := w.Status().Patch(w.t.Context(), a.DeepCopy(), patch, client.FieldOwner("l2sm-agent"), client.ForceOwnership); err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits for what must become true.
func (w *world) eventually(check func(g Gomega)) {
	w.t.Helper()
	NewWithT(w.t).Eventually(check, patience, 10*time.Millisecond).Should(Succeed())
}

// consistently checks what must stay so, for as long as a wrong step would
// need to show.
func (w *world) consistently(check func(g Gomega)) {
	w.t.Helper()
	NewWithT(w.t).Consistently(check, 500*time.Millisecond, 20*time.Millisecond).Should(Succeed())
}

// attachments are those of a pod, of any of its lives.
func (w *world) attachments(pod string) []v1alpha1.L2Attachment {
	w.t.Helper()
	list := &v1alpha1.L2AttachmentList{}
	if err := w.List(w.t.Context(), list, client.InNamespace(w.namespace), client.MatchingFields{"spec.podName": pod}); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// attached waits until the pod has its attachments, all complete and accepted.
func (w *world) attached(pod string, count int) []v1alpha1.L2Attachment {
	w.t.Helper()
	var all []v1alpha1.L2Attachment
	w.eventually(func(g Gomega) {
		all = w.attachments(pod)
		g.Expect(all).To(HaveLen(count))
		for _, a := range all {
			g.Expect(a.Complete()).To(BeTrue(), "%s is complete", a.Name)
			g.Expect(meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionAccepted)).To(BeTrue(), "%s is accepted: %v", a.Name, a.Status.Conditions)
		}
	})
	return all
}

// refused waits until the pod's one attachment says why it has no port.
func (w *world) refused(pod, reason, message string) v1alpha1.L2Attachment {
	w.t.Helper()
	var a v1alpha1.L2Attachment
	w.eventually(func(g Gomega) {
		all := w.attachments(pod)
		g.Expect(all).To(HaveLen(1))
		a = all[0]
		c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
		g.Expect(c).NotTo(BeNil())
		g.Expect(c.Status).To(Equal(metav1.ConditionFalse))
		g.Expect(c.Reason).To(Equal(reason))
		g.Expect(c.Message).To(ContainSubstring(message))
		g.Expect(c.ObservedGeneration).To(Equal(a.Generation))
	})
	return a
}

// told waits for an event about an object.
func (w *world) told(about client.Object, reason, message string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(w.eventsAbout(about)).To(ContainElement(And(HavePrefix(reason+": "), ContainSubstring(message))))
	})
}

// eventsAbout are an object's events, each as "reason: note".
func (w *world) eventsAbout(about client.Object) []string {
	w.t.Helper()
	list := &eventsv1.EventList{}
	if err := w.List(w.t.Context(), list, client.InNamespace(about.GetNamespace())); err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range list.Items {
		if e.Regarding.UID == about.GetUID() {
			all = append(all, e.Reason+": "+e.Note)
		}
	}
	return all
}

// ports are the names of the network's ports in the database.
func (w *world) ports(network string) []string {
	w.t.Helper()
	key := ovn.Key{Namespace: w.namespace, Name: network}
	names := w.NB.Ctl("--if-exists", "get", "logical_switch", key.Switch(), "ports")
	if strings.TrimSpace(names) == "" || strings.TrimSpace(names) == "[]" {
		return nil
	}
	return strings.Fields(w.NB.Ctl("--bare", "--columns=name", "list", "logical_switch_port"))
}

// switches are the names of all switches in the database.
func (w *world) switches() []string {
	w.t.Helper()
	return strings.Fields(w.NB.Ctl("--bare", "--columns=name", "list", "logical_switch"))
}

// condition waits until the network's condition is as told.
func (w *world) condition(n *v1alpha1.L2Network, kind string, status metav1.ConditionStatus, reason, message string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(w.t.Context(), client.ObjectKeyFromObject(n), n)).To(Succeed())
		c := meta.FindStatusCondition(n.Status.Conditions, kind)
		g.Expect(c).NotTo(BeNil(), "condition %s", kind)
		g.Expect(c.Status).To(Equal(status), "%v", c)
		g.Expect(c.Reason).To(Equal(reason), "%v", c)
		g.Expect(c.Message).To(ContainSubstring(message))
		g.Expect(c.ObservedGeneration).To(Equal(n.Generation))
	})
}
