//go:build kernel

package kernel_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab/netns"
	"l2sm.io/l2sm/internal/cri"
)

const namespace = "chain"

// pod is one of a user's: a network namespace, and the Pod.
type pod struct {
	*cluster
	object *corev1.Pod
	node   *member
	life   int // of its sandbox
	ips    []string
}

// network makes an L2Network, dual-stack.
func (c *cluster) network(name string) {
	c.Helper()
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	spec := `{"ipam": {"subnets": ["10.101.0.0/16", "fd10:101::/64"]}}`
	if err := json.Unmarshal([]byte(spec), &n.Spec); err != nil {
		c.Fatal(err)
	}
	c.create(n)
}

// pod makes a pod that asks for the network with addresses of this number, and for none if the network's name is empty.
func (c *cluster) pod(name, on, network string, number int) *pod {
	c.Helper()
	p := &pod{cluster: c, node: c.nodes[on], ips: []string{fmt.Sprintf("10.101.0.%d", number), fmt.Sprintf("fd10:101::%d", number)}}
	p.object = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{NodeName: on, Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	if network != "" {
		p.object.Annotations = map[string]string{
			"l2sm.io/networks":            fmt.Sprintf(`[{"name": %q, "ips": [%q, %q]}]`, network, p.ips[0], p.ips[1]),
			"k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm",
		}
	}
	c.create(p.object)
	p.startSandbox(network != "")
	return p
}

// startSandbox is the runtime's and Multus' part: a network namespace, the plugin, and the sandbox in the runtime's list.
func (p *pod) startSandbox(plugged bool) {
	p.Helper()
	p.life++
	if err := netns.Create(p.namespace()); err != nil {
		p.Fatal(err)
	}
	p.run("ip", "link", "set", "lo", "up")
	if plugged {
		NewWithT(p).Eventually(func() error { return p.plugin("ADD") }, patience, "500ms").Should(Succeed(), "the kubelet tries again, too")
	}
	p.node.runtime.Put(cri.Sandbox{
		ID: p.container(), PodNamespace: namespace, PodName: p.object.Name, PodUID: string(p.object.UID), Ready: true, Attempt: uint32(p.life), Created: time.Now(),
	}, netns.Path(p.namespace()))
	if err := p.Get(p.Context(), client.ObjectKeyFromObject(p.object), p.object); err != nil {
		p.Fatal(err)
	}
	p.object.Status.Message = fmt.Sprint("sandbox ", p.life) // the kubelet writes what changes
	if err := p.Status().Update(p.Context(), p.object); err != nil {
		p.Fatal(err)
	}
}

// loseSandbox ends the sandbox without a word, as a reboot does.
func (p *pod) loseSandbox() {
	p.Helper()
	p.node.runtime.Remove(p.container())
	if err := netns.Delete(p.namespace()); err != nil {
		p.Fatal(err)
	}
}

func (p *pod) namespace() string { return fmt.Sprintf("%s-%d", p.object.Name, p.life) }

func (p *pod) container() string { return fmt.Sprintf("%064d", p.life) + p.object.Name }

// plugin runs the CNI plugin that the agent has installed on the node.
func (p *pod) plugin(verb string) error {
	cmd := p.node.agent.Enter(p.Context(), p.node.HostFile("/opt/cni/bin/l2sm"))
	cmd.Env = append(os.Environ(),
		"CNI_COMMAND="+verb, "CNI_CONTAINERID="+p.container(), "CNI_NETNS="+netns.Path(p.namespace()), "CNI_IFNAME=net1", "CNI_PATH=/opt/cni/bin",
		fmt.Sprintf("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s", namespace, p.object.Name, p.object.UID))
	cmd.Stdin = strings.NewReader(`{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm"}`)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s of %s: %w: %s", verb, p.object.Name, err, out)
	}
	return nil
}

// command runs in the pod's network namespace.
func (p *pod) command(args ...string) *exec.Cmd {
	return exec.CommandContext(p.Context(), "nsenter", append([]string{"--net=" + netns.Path(p.namespace())}, args...)...)
}

func (p *pod) run(args ...string) string {
	p.Helper()
	out, err := p.command(args...).CombinedOutput()
	if err != nil {
		p.Fatalf("pod %s: %s: %v\n%s", p.object.Name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// shows is the word that ip-link(8) prints after the key, of the pod's net1.
func (p *pod) shows(key string) string {
	p.Helper()
	words := strings.Fields(p.run("ip", "-o", "link", "show", "net1"))
	i := slices.Index(words, key)
	if i < 0 || i+1 == len(words) {
		p.Fatalf("ip link prints no %s: %v", key, words)
	}
	return words[i+1]
}

// keepNeighbours has the pod never ask again for the addresses that it knows.
func (p *pod) keepNeighbours() {
	p.Helper()
	for entry := range strings.Lines(p.run("ip", "neigh", "show", "dev", "net1")) {
		if words := strings.Fields(entry); len(words) > 2 && words[1] == "lladdr" {
			p.run("ip", "neigh", "replace", words[0], "lladdr", words[2], "dev", "net1", "nud", "permanent")
		}
	}
}

// attachment is the pod's one.
func (p *pod) attachment() *v1alpha1.L2Attachment {
	p.Helper()
	all := &v1alpha1.L2AttachmentList{}
	if err := p.List(p.Context(), all, client.InNamespace(namespace)); err != nil {
		p.Fatal(err)
	}
	for i := range all.Items {
		if all.Items[i].Spec.PodName == p.object.Name {
			return &all.Items[i]
		}
	}
	p.Fatalf("pod %s has no L2Attachment", p.object.Name)
	return nil
}

// awaitReady waits until the pod's attachment is wired, on the network.
func (p *pod) awaitReady(network string) {
	p.Helper()
	NewWithT(p).Eventually(func() string {
		a := p.attachment()
		if a.Status.Network == nil || !meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Sprintf("%+v", a.Status)
		}
		return a.Status.Network.Name
	}, patience, "100ms").Should(Equal(network))
}

// answers pings an address until it is answered: what was just plugged may need a moment.
func (p *pod) answers(address string) {
	p.Helper()
	NewWithT(p).Eventually(func() error {
		out, err := p.command("ping", "-n", "-c", "1", "-W", "1", address).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}, patience, "50ms").Should(Succeed())
}
