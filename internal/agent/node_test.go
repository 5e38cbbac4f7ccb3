//go:build integration

package agent_test

import (
	"net"
	"os/exec"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/firewall"
	"l2sm.io/l2sm/internal/link/nstest"
)

// wired is a world with a pod that is wired to network "one".
func wired(t *testing.T) (*world, *sandbox) {
	t.Helper()
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	s.add()
	return w, s
}

func TestDelOfWhatIsGone(t *testing.T) {
	cases := map[string]struct {
		reason string
		before func(*world, *sandbox)
	}{
		"Namespace":  {"the pod's end took the device along", func(w *world, s *sandbox) { nstest.RemoveNS(w.t, s.netns) }},
		"Pod":        {"the pod is out of the API", func(w *world, s *sandbox) { w.deleteNow(s.pod) }},
		"Attachment": {"the garbage collector was first", func(w *world, s *sandbox) { w.deleteNow(w.attachment(s.pod, "one", "net1", 1)) }},
		"Port":       {"a user tidied OVS", func(w *world, s *sandbox) { w.Ctl("del-port", w.Ports()[0]) }},
		"Deleted":    {"the runtime repeats itself", func(w *world, s *sandbox) { s.ok("DEL") }},
		"NoArgs":     {"the runtime has lost what it knew of the pod", func(_ *world, s *sandbox) { s.pod, s.uid, s.netns = &corev1.Pod{}, "", "" }},
		"Agent":      {"the agent that made it is dead", func(w *world, s *sandbox) { w.stopAgent(); w.startAgent() }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, s := wired(t)
			tc.before(w, s)
			s.ok("DEL")
			w.nothingLeft(tc.reason)
		})
	}
}

func (w *world) deleteNow(o client.Object) {
	w.t.Helper()
	if err := w.Delete(w.t.Context(), o, client.GracePeriodSeconds(0)); err != nil {
		w.t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	cases := map[string]struct {
		reason string
		spoil  func(*world, *sandbox)
		says   string
	}{
		"MTU": {"a user set another", func(w *world, s *sandbox) {
			s.inner(func(inner netlink.Link) error { return netlink.LinkSetMTU(inner, 1000) })
		}, "MTU 1000, want 1442"},
		"MAC": {"a user set another", func(w *world, s *sandbox) {
			s.inner(func(inner netlink.Link) error {
				return netlink.LinkSetHardwareAddr(inner, net.HardwareAddr{2, 0, 0, 0, 0, 9})
			})
		}, "02:00:00:00:00:09"},
		"Address": {"a user removed it", func(w *world, s *sandbox) {
			s.inner(func(inner netlink.Link) error {
				return netlink.AddrDel(inner, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 0, 0, 1), Mask: net.CIDRMask(24, 32)}})
			})
		}, "lacks addresses [10.0.0.1/24]"},
		"Interface": {"a user removed it", func(w *world, s *sandbox) {
			s.inner(netlink.LinkDel)
		}, "net1"},
		"Port": {"a user removed it", func(w *world, s *sandbox) { w.Ctl("del-port", w.Ports()[0]) }, "has no port"},
		"Binding": {"ovn-controller has lost the logical port", func(w *world, s *sandbox) {
			w.NB("lsp-del", "l2sm/"+w.namespace+"/"+w.attachment(s.pod, "one", "net1", 1).Name)
			NewWithT(w.t).Eventually(func() string { return w.Ctl("get", "interface", w.Ports()[0], "external_ids") }, patience, "10ms").
				ShouldNot(ContainSubstring("ovn-installed="))
		}, "not installed"},
		"Refused": {"the controller has taken the port away", func(w *world, s *sandbox) {
			w.refuse(w.attachment(s.pod, "one", "net1", 1), v1alpha1.AttachmentRefused(v1alpha1.ReasonLinkFull, "the link has two ends"))
			w.becomes(w.attachment(s.pod, "one", "net1", 1), "False LinkFull", "the agent knows")
		}, "the link has two ends"},
		"Namespace": {"it is gone", func(w *world, s *sandbox) {
			nstest.RemoveNS(w.t, s.netns)
			s.netns = "/run/netns/none"
		}, "/run/netns/none"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, s := wired(t)
			NewWithT(t).Eventually(func() *types.Error { _, e := s.run("CHECK"); return e }, patience, "10ms").Should(BeNil())
			tc.spoil(w, s)
			s.fails("CHECK", types.ErrInternal, tc.says)
		})
	}
}

// inner does something to the pod's end of net1.
func (s *sandbox) inner(f func(netlink.Link) error) {
	s.t.Helper()
	nstest.Do(s.t, s.netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		return f(inner)
	})
}

func TestGC(t *testing.T) {
	w, s := wired(t)
	pod := w.pod("pong", "one")
	w.attach(pod, "one", "net1", 2)
	gone := w.sandbox(pod, "c2")
	gone.add()

	gc := *s
	gc.config = `{"cniVersion":"1.1.0","name":"another","type":"l2sm","cni.dev/valid-attachments":[]}`
	gc.ok("GC")
	if left := w.left(); len(left) != 4 {
		t.Errorf("GC of another network configuration left %v", left)
	}
	gc.config = `{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm","cni.dev/valid-attachments":[{"containerID":"c1","ifname":"net1"}]}`
	gc.ok("GC")
	if left := w.left(); len(left) != 2 {
		t.Errorf("GC must leave one link and one port, got %v", left)
	}
	s.ok("CHECK")
	gc.config = `{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm","cni.dev/valid-attachments":[]}`
	gc.ok("GC")
	w.nothingLeft("no attachment is valid any more")
}

func TestStatus(t *testing.T) {
	w, s := wired(t)
	s.ok("STATUS")
	w.StopServer()
	NewWithT(t).Eventually(func() uint {
		_, e := s.run("STATUS")
		if e == nil {
			return 0
		}
		return e.Code
	}, patience, "20ms").Should(Equal(uint(50)), "without Open vSwitch no ADD can be served")
	s.fails("ADD", types.ErrTryAgainLater, "not connected to Open vSwitch")
	w.StartServer()
	NewWithT(t).Eventually(func() bool { _, e := s.run("STATUS"); return e == nil }, patience, "20ms").Should(BeTrue())
	s.ok("DEL")
	w.nothingLeft("Open vSwitch came back")
	w.stopAgent()
	s.fails("STATUS", 50, "does not answer")
	s.fails("ADD", types.ErrTryAgainLater, "does not answer")
}

func TestReadyFollowsOVS(t *testing.T) {
	losePort := func(w *world) { w.Ctl("del-port", w.Ports()[0]) }
	cases := map[string]struct {
		reason string
		lose   func(*world)
	}{
		"Seen":           {"a user removed the port", losePort},
		"AgentRestarted": {"an agent that starts tells what happened without it", func(w *world) { w.stopAgent(); losePort(w); w.startAgent() }},
		"Rebound": {"the port is of the pod's last life", func(w *world) {
			var all v1alpha1.L2AttachmentList
			if err := w.List(w.t.Context(), &all, client.InNamespace(w.namespace)); err != nil {
				w.t.Fatal(err)
			}
			all.Items[0].Spec.PodUID = "00000000-0000-4000-8000-000000000000"
			if err := w.Update(w.t.Context(), &all.Items[0]); err != nil {
				w.t.Fatal(err)
			}
		}},
		"Disconnected": {"so does one that was cut off", func(w *world) { w.LosePort(w.Ports()[0]) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, s := wired(t)
			ready := w.ready(w.attachment(s.pod, "one", "net1", 1))
			g := NewWithT(t)
			g.Eventually(ready, patience, "20ms").Should(Equal("True Ready"))
			tc.lose(w)
			g.Eventually(ready, patience, "20ms").Should(Equal("False Wiring"), tc.reason)
		})
	}
}

func TestUnderlay(t *testing.T) {
	w := start(t, func(c *agent.Config) { c.UnderlayMTU = 1600 })
	tunnel := netlink.NewVeth(netlink.LinkAttrs{Name: "eth1", MTU: 1500, TxQLen: -1})
	tunnel.PeerName = "fabric"
	if err := netlink.LinkAdd(tunnel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(tunnel) })
	w.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=192.0.2.1")
	g := NewWithT(t)
	g.Consistently(w.complaints, "200ms", "50ms").Should(BeEmpty(), "no interface holds the address yet")

	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}}
	if err := netlink.AddrAdd(tunnel, address); err != nil {
		t.Fatal(err)
	}
	g.Eventually(w.complaints, patience, "50ms").Should(ConsistOf(ContainSubstring("eth1 has MTU 1500 but UNDERLAY_MTU is 1600")))
	g.Eventually(func() string {
		out, _ := exec.Command("nft", "list", "table", "inet", firewall.TableName).CombinedOutput()
		return string(out)
	}, patience, "50ms").Should(And(ContainSubstring(`iifname != "eth1"`), ContainSubstring("udp dport 6081")), "tunnels' packets come in by their interface only")
}

// complaints are the events on the node about the underlay.
func (w *world) complaints() []string {
	var list corev1.EventList
	if err := w.List(w.t.Context(), &list); err != nil {
		w.t.Error(err)
	}
	var messages []string
	for _, e := range list.Items {
		if e.Reason == "UnderlayMTU" && e.InvolvedObject.Kind == "Node" && e.InvolvedObject.Name == nodeName {
			messages = append(messages, e.Message)
		}
	}
	return messages
}
