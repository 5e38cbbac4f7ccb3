//go:build integration

package agent_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
)

// l2node is the node's, and empty where there is none.
func (w *world) l2node() *v1alpha1.L2Node {
	n := &v1alpha1.L2Node{}
	err := w.Get(w.t.Context(), client.ObjectKey{Name: nodeName}, n)
	if client.IgnoreNotFound(err) != nil {
		w.t.Error(err)
	}
	return n
}

// nodeReady is the status and the reason of the node's condition Ready.
func (w *world) nodeReady() string {
	c := meta.FindStatusCondition(w.l2node().Status.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s %s", c.Status, c.Reason)
}

func TestL2Node(t *testing.T) {
	w := start(t)
	g := NewWithT(t)
	w.Ctl("--no-wait", "set", "Open_vSwitch", ".", "ovs_version=3.1.0", "external_ids:l2sm-ovn-version=23.03.1")
	g.Eventually(func() string { return w.l2node().Status.Versions.OVS }, patience, "20ms").Should(Equal("3.1.0"))
	g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"))
	n := w.l2node()
	node := &corev1.Node{}
	if err := w.Get(t.Context(), client.ObjectKey{Name: nodeName}, node); err != nil {
		t.Fatal(err)
	}
	if len(n.OwnerReferences) != 1 || n.OwnerReferences[0].UID != node.UID {
		t.Errorf("owners are %v, want the Node: it takes the L2Node along", n.OwnerReferences)
	}
	if n.Status.Chassis == "" || n.Status.Datapath != "netdev" || n.Status.Versions.OVN != "23.03.1" || n.Status.Versions.Kernel == "" || n.Status.Versions.Agent != "test" {
		t.Errorf("status is %+v", n.Status)
	}

	t.Run("Refused", func(t *testing.T) {
		write(t, "ForeignDatapath another Open vSwitch has datapath ovs-system")
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("False ForeignDatapath"))
		if err := os.Remove(refusalFile); err != nil {
			t.Fatal(err)
		}
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"), "the checks pass")
	})
	t.Run("TunnelError", func(t *testing.T) {
		w.Ctl("--no-wait", "add-port", "br-int", "ovn-b-0", "--", "set", "interface", "ovn-b-0", "type=geneve", "options:remote_ip=192.0.2.999", "options:key=flow")
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("False TunnelError"))
		w.Ctl("del-port", "ovn-b-0")
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"), "the tunnel is gone")
	})
	t.Run("OpenVSwitch", func(t *testing.T) {
		w.StopServer()
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("False OpenVSwitchUnreachable"))
		if w.l2node().Status.Datapath != "netdev" {
			t.Error("what Open vSwitch said is forgotten")
		}
		w.StartServer()
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"))
	})
	t.Run("Deleted", func(t *testing.T) {
		was := w.l2node()
		if err := w.Delete(t.Context(), was.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		g.Eventually(func() bool { n := w.l2node(); return n.UID != "" && n.UID != was.UID }, patience, "20ms").Should(BeTrue())
		g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"))
	})
	t.Run("Restarted", func(t *testing.T) {
		before := w.l2node().ResourceVersion
		w.stopAgent()
		w.startAgent(func(c *agent.Config) { c.UnderlayMTU = 1400 }) // it reads the flag, which changes nothing of the node
		g.Consistently(func() string { return w.l2node().ResourceVersion }, "3s", "50ms").Should(Equal(before), "nothing has changed, and nothing is written")
	})
}

func write(t *testing.T, refusal string) {
	t.Helper()
	if err := os.WriteFile(refusalFile, []byte(refusal+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two machines with one name: the one that is overwritten says so, once, and
// neither overwrites the other again.
func TestTwoNodesOfOneName(t *testing.T) {
	w := start(t, func(c *agent.Config) { agent.WithBootID(c, "first") })
	g := NewWithT(t)
	g.Eventually(func() string { return w.l2node().Status.BootID }, patience, "20ms").Should(Equal("first"))
	g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"))

	c := agent.Config{
		Node: nodeName, Fabric: v1alpha1.FabricCentral, CNISocket: "/run/other.sock", CRI: w.runtime.Socket(), OVSDB: w.Endpoint(), UnderlayMTU: underlayMTU, SysctlRoot: "/proc/sys",
		MetricsAddress: "0", ProbeAddress: "0", RefusalFile: refusalFile, Version: "test",
	}
	agent.WithBootID(&c, "second")
	other, err := agent.New(api, c, w.logger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- other.Run(ctx) }()
	g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("False NameTaken"))
	taken := meta.FindStatusCondition(w.l2node().Status.Conditions, v1alpha1.ConditionNameTaken)
	if taken == nil || !strings.Contains(taken.Message, "first") || !strings.Contains(taken.Message, "second") {
		t.Errorf("condition NameTaken is %+v, want both boot IDs", taken)
	}
	before := w.l2node().ResourceVersion
	g.Consistently(func() string { return w.l2node().ResourceVersion }, "3s", "50ms").Should(Equal(before), "they do not fight")

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.stopAgent()
	w.startAgent(func(c *agent.Config) { agent.WithBootID(c, "first") })
	g.Eventually(w.nodeReady, patience, "20ms").Should(Equal("True Ready"), "the one that keeps the name was restarted")
}
