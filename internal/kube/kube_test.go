//go:build integration

package kube_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
)

var (
	// c and api reach the API server that all tests share.
	c   *kube.Client
	api client.Client
)

func TestMain(m *testing.M) {
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "manifests", "crd")}, ErrorIfCRDPathMissing: true}
	if err := start(env); err != nil {
		fmt.Fprintln(os.Stderr, "start kube-apiserver:", err)
		os.Exit(1)
	}
	status := m.Run()
	if err := env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop kube-apiserver:", err)
		status = 1
	}
	os.Exit(status)
}

func start(env *envtest.Environment) error {
	config, err := env.Start()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	if api, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	c, err = kube.New(config)
	return err
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func pod(name, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": "x"}, Annotations: map[string]string{
			v1alpha1.NetworksAnnotation: "one", kube.HashAnnotation: "hash", "example.com/large": "text",
		}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
}

func attachment(name, pod, node string) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{v1alpha1.EntryAnnotation: "one", "example.com/large": "text"}},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: pod, PodUID: "uid", NodeName: node, Network: v1alpha1.NetworkReference{Name: "one"}},
	}
}

// The caches hold the node's own objects, and of those what the agent reads.
func TestNode(t *testing.T) {
	create(t, pod("ping", "node-a"), pod("pong", "node-b"),
		attachment("b", "ping", "node-a"), attachment("a", "ping", "node-a"), attachment("other", "tick", "node-a"), attachment("far", "ping", "node-b"))
	node, err := c.Node("node-a")
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 100)
	err = node.OnAttachment(func(before, after *v1alpha1.L2Attachment) {
		switch {
		case before == nil:
			events <- "add " + after.Name
		case after == nil:
			events <- "delete " + before.Name
		default:
			events <- "update " + after.Name
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	filled, ended := make(chan struct{}), make(chan struct{})
	go func() {
		node.Run(ctx, func() { close(filled) })
		close(ended)
	}()
	<-filled

	ping := types.NamespacedName{Namespace: "default", Name: "ping"}
	var names []string
	for _, a := range node.AttachmentsOf(ping) {
		names = append(names, a.Name)
	}
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Errorf("the pod's attachments on the node, sorted (-want +got):\n%s", diff)
	}
	if n := len(node.Attachments()); n != 3 {
		t.Errorf("%d attachments are cached, want those of the node: 3", n)
	}
	if p := node.Pod(types.NamespacedName{Namespace: "default", Name: "pong"}); p != nil {
		t.Errorf("another node's pod is cached: %v", p)
	}
	p := node.Pod(ping)
	if p == nil || p.UID == "" || p.Spec.NodeName != "node-a" {
		t.Fatalf("the pod is %+v", p)
	}
	if diff := cmp.Diff(map[string]string{v1alpha1.NetworksAnnotation: "one", kube.HashAnnotation: "hash"}, p.Annotations); diff != "" {
		t.Errorf("annotations of the cached pod (-want +got):\n%s", diff)
	}
	if len(p.Spec.Containers) > 0 || len(p.Labels) > 0 || len(p.ManagedFields) > 0 {
		t.Errorf("the cached pod holds what the agent does not read: %+v", p)
	}
	a := node.Attachment(types.NamespacedName{Namespace: "default", Name: "a"})
	if diff := cmp.Diff(map[string]string{v1alpha1.EntryAnnotation: "one"}, a.Annotations); diff != "" || len(a.ManagedFields) > 0 {
		t.Errorf("the cached attachment holds %v and annotations (-want +got):\n%s", a.ManagedFields, diff)
	}

	// A write by server-side apply, and a deletion, come by the watch.
	condition := v1alpha1.AttachmentReady("net1")
	condition.LastTransitionTime = metav1.Now()
	if err := c.ApplyCondition(t.Context(), a, condition, "l2sm-agent"); err != nil {
		t.Fatal(err)
	}
	g := gomega.NewWithT(t)
	g.Eventually(events, "10s").Should(gomega.Receive(gomega.Equal("update a")))
	live, err := c.Attachment(t.Context(), types.NamespacedName{Namespace: "default", Name: "a"})
	if err != nil || len(live.Status.Conditions) != 1 || live.Status.Conditions[0].Reason != v1alpha1.ReasonReady {
		t.Errorf("the attachment is %+v, %v", live, err)
	}
	if err := api.Delete(t.Context(), a.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	g.Eventually(events, "10s").Should(gomega.Receive(gomega.Equal("delete a")))
	if err := c.ApplyCondition(t.Context(), a, condition, "l2sm-agent"); err != nil {
		t.Errorf("a condition of an attachment that is gone: %v", err)
	}
	if none, err := c.Attachment(t.Context(), types.NamespacedName{Namespace: "default", Name: "a"}); none != nil || err != nil {
		t.Errorf("the attachment that is gone is %v, %v", none, err)
	}
	if none, err := c.Pod(t.Context(), types.NamespacedName{Namespace: "default", Name: "none"}); none != nil || err != nil {
		t.Errorf("a pod that does not exist is %v, %v", none, err)
	}
	cancel()
	<-ended
}

// account makes a service account that may get the paths, and returns a token of
// it.
func account(t *testing.T, name string, paths ...string) string {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	create(t, sa)
	if len(paths) > 0 {
		create(t,
			&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{NonResourceURLs: paths, Verbs: []string{"get"}}}},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
			})
	}
	request := &authenticationv1.TokenRequest{}
	if err := api.SubResource("token").Create(t.Context(), sa, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

func TestAllow(t *testing.T) {
	auditor := account(t, "auditor", "/inventory")
	cases := map[string]struct {
		reason, method, path, token string
		want                        int
	}{
		"Forged":      {"the API server knows no such token", http.MethodGet, "/inventory", "secret", http.StatusUnauthorized},
		"Stranger":    {"it knows the account, which may nothing", http.MethodGet, "/inventory", account(t, "stranger"), http.StatusForbidden},
		"Auditor":     {"the account may get the path", http.MethodGet, "/inventory", auditor, http.StatusOK},
		"OtherPath":   {"and no other", http.MethodGet, "/metrics", auditor, http.StatusForbidden},
		"OtherMethod": {"nor change anything", http.MethodPost, "/inventory", auditor, http.StatusForbidden},
		"Below":       {"a star covers what is below", http.MethodGet, "/debug/pprof/heap", account(t, "developer", "/debug/pprof/*"), http.StatusOK},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.Allow(t.Context(), tc.token, httptest.NewRequest(tc.method, tc.path, http.NoBody))
			if err != nil || got != tc.want {
				t.Errorf("%s: Allow = %d, %v, want %d", tc.reason, got, err, tc.want)
			}
		})
	}
	ended, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if status, err := c.Allow(ended, auditor, httptest.NewRequest(http.MethodGet, "/inventory", http.NoBody)); err == nil {
		t.Errorf("what could not be asked gives status %d, want an error", status)
	}
}

// place writes where an attachment's port is, as the controller does.
func place(t *testing.T, a *v1alpha1.L2Attachment, network string, key int32) {
	t.Helper()
	before := a.DeepCopy()
	a.Status.Network, a.Status.TunnelKey = &v1alpha1.NetworkReference{Namespace: "default", Name: network}, key
	if err := api.Status().Patch(t.Context(), a, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// A network's caches hold its own objects, on whatever node, and of those what a
// port is made of. One that moves away is told as gone.
func TestNetwork(t *testing.T) {
	near, far, other := attachment("here", "m", "node-m"), attachment("there", "n", "node-n"), attachment("elsewhere", "o", "node-n")
	red := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "red", Labels: map[string]string{"a": "b"}}}
	create(t, near, far, other, red)
	place(t, near, "red", 1)
	place(t, far, "red", 2)
	place(t, other, "green", 1)
	n, err := c.Network(types.NamespacedName{Namespace: "default", Name: "red"})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 100)
	err = n.OnAttachment(func(before, after *v1alpha1.L2Attachment) {
		if after == nil {
			events <- "gone " + before.Name
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	filled, ended := make(chan struct{}), make(chan struct{})
	go func() {
		n.Run(ctx, func() { close(filled) })
		close(ended)
	}()
	<-filled
	keys := map[string]int32{}
	for _, a := range n.Attachments() {
		keys[a.Name] = a.Status.TunnelKey
		if len(a.Annotations)+len(a.Labels)+len(a.ManagedFields)+len(a.Status.Conditions) > 0 || a.Spec.NodeName == "" {
			t.Errorf("the cached attachment holds what no port is made of: %+v", a)
		}
	}
	if diff := cmp.Diff(map[string]int32{"here": 1, "there": 2}, keys); diff != "" {
		t.Errorf("attachments on the network, with their keys (-want +got):\n%s", diff)
	}
	if got := n.L2Network(); got == nil || got.Name != "red" || len(got.Labels) > 0 {
		t.Errorf("the network is %+v", got)
	}
	place(t, far, "green", 2)
	g := gomega.NewWithT(t)
	g.Eventually(events, "10s").Should(gomega.Receive(gomega.Equal("gone there")))
	cancel()
	g.Eventually(ended, "10s").Should(gomega.BeClosed())
}

func TestL2Nodes(t *testing.T) {
	node := &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: "node-x", Annotations: map[string]string{"a": "b"}}}
	create(t, node)
	before := node.DeepCopy()
	node.Status = v1alpha1.L2NodeStatus{Chassis: "x", TunnelAddresses: []string{"192.0.2.1"}, Datapath: "system"}
	if err := api.Status().Patch(t.Context(), node, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	nodes, err := c.L2Nodes()
	if err != nil {
		t.Fatal(err)
	}
	filled := make(chan struct{})
	go nodes.Run(t.Context(), func() { close(filled) })
	<-filled
	got := nodes.L2Node("node-x")
	if got == nil || len(got.Annotations) > 0 {
		t.Fatalf("the node is %+v", got)
	}
	if diff := cmp.Diff(v1alpha1.L2NodeStatus{Chassis: "x", TunnelAddresses: []string{"192.0.2.1"}}, got.Status); diff != "" {
		t.Errorf("what is kept of its status (-want +got):\n%s", diff)
	}
	if nodes.L2Node("none") != nil {
		t.Error("there is no such node")
	}
}
