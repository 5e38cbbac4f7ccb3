//go:build kernel

package kernel_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/kernel/node"
	"l2sm.io/l2sm/e2e/scale/stack"
	"l2sm.io/l2sm/internal/cri/critest"
)

// cluster is two nodes with all of l2sm's pods.
type cluster struct {
	*testing.T
	client.Client
	*machine
	nodes map[string]*member
}

// member is a node with its pods.
type member struct {
	*node.Node
	runtime    *critest.Fake // lists the sandboxes that tests put there
	ovn, agent *node.Pod
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, machine: newMachine(t), nodes: map[string]*member{}}
	t.Cleanup(func() {
		if t.Failed() {
			c.logs()
		}
	})
	loading := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil)
	config, err := loading.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := stack.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	c.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	for _, file := range []string{"role.yaml", "rbac.yaml"} {
		c.createManifest(filepath.Join("agent", file))
	}
	for _, name := range []string{first, second} {
		c.nodes[name] = &member{Node: c.node(t, name), runtime: critest.Start(t)}
		c.register(name)
		c.start(name)
	}
	return c
}

func (c *cluster) create(o client.Object) {
	c.Helper()
	if err := c.Create(c.Context(), o); err != nil {
		c.Fatalf("create %T %s: %v", o, o.GetName(), err)
	}
}

func (c *cluster) createManifest(path string) {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.repository, "manifests", path))
	if err != nil {
		c.Fatal(err)
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, o); err != nil {
			c.Fatal(err)
		}
		c.create(o)
	}
}

// register makes the Node and its agent's pod, as kubelet and DaemonSet do.
func (c *cluster) register(name string) {
	c.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	c.create(n)
	for _, ip := range internalIPs[name] {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip})
	}
	if err := c.Status().Update(c.Context(), n); err != nil {
		c.Fatal(err)
	}
	c.create(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: agentPod(name)},
		Spec:       corev1.PodSpec{NodeName: name, ServiceAccountName: agentAccount, Containers: []corev1.Container{{Name: "agent", Image: "none"}}},
	})
}

const agentAccount = "l2sm-agent"

func agentPod(node string) string { return agentAccount + "-" + node }

// start starts the node's pods. The databases listen without TLS here, so the certificate that ovn-controller waits for is
// none: others test how nodes get theirs.
func (c *cluster) start(name string) {
	c.Helper()
	folder := c.nodes[name].HostFile("/run/l2sm/ovn")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		c.Fatal(err)
	}
	for _, file := range []string{"tls.key", "tls.crt", "ca.crt"} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte("not used\n"), 0o600); err != nil {
			c.Fatal(err)
		}
	}
	c.startOVN(name)
	c.startAgent(name)
}

func (c *cluster) startOVN(name string) {
	c.Helper()
	n := c.nodes[name]
	var err error
	if n.ovn, err = n.Start(c.Context(), "ovn-node", c.template(c.T, "ovn-node", os.Getenv("L2SM_OVN_ROOT"), map[string]string{"SB_ENDPOINTS": os.Getenv("L2SM_SB")})); err != nil {
		c.Fatal(err)
	}
	if err := n.ovn.AwaitStarted(within(c.T)); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) startAgent(name string) {
	c.Helper()
	n := c.nodes[name]
	env := map[string]string{"KUBECONFIG": c.agentKubeconfig(name), "CRI_ENDPOINT": n.runtime.Socket()}
	var err error
	if n.agent, err = n.Start(c.Context(), "l2sm-agent", c.template(c.T, "agent", "/", env)); err != nil {
		c.Fatal(err)
	}
}

// agentKubeconfig has the token that a DaemonSet's pod has: it names the pod, and its node.
func (c *cluster) agentKubeconfig(name string) string {
	c.Helper()
	p := &corev1.Pod{}
	if err := c.Get(c.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: agentPod(name)}, p); err != nil {
		c.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID},
	}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: agentAccount}}
	if err := c.SubResource("token").Create(c.Context(), account, request); err != nil {
		c.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(os.Getenv("KUBECONFIG"))
	if err != nil {
		c.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.ClientCertificateData, user.ClientKeyData, user.Token = nil, nil, request.Status.Token
	}
	file := fmt.Sprintf("%s/agent-%s.kubeconfig", c.TempDir(), name)
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		c.Fatal(err)
	}
	return file
}

// logs shows what the node's containers said, for after a failure.
func (c *cluster) logs() {
	for name, n := range c.nodes {
		for _, container := range []string{"ovsdb-server", "ovs-vswitchd", "ovn-controller"} {
			if n.ovn != nil {
				c.Logf("%s of %s:\n%s", container, name, n.ovn.Log(container))
			}
		}
		if n.agent != nil {
			c.Logf("l2sm-agent of %s:\n%s", name, n.agent.Log("agent"))
		}
	}
}
