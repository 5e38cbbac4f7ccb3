//go:build integration

package agent_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
)

// running is a pod that asks for nothing, with its sandbox ready.
func (w *world) running(name string) *sandbox {
	w.t.Helper()
	s := w.sandbox(w.annotatedPod(name, nil), "c-"+name)
	s.is(true)
	return s
}

// missing is nil when the sandbox has no interface of the name.
func (s *sandbox) missing(iface string) func() bool {
	return func() bool {
		_, err := link.Inspect(s.netns, iface)
		return err != nil
	}
}

// becomes waits for the attachment's condition Ready.
func (w *world) becomes(a *v1alpha1.L2Attachment, ready, reason string) {
	w.t.Helper()
	NewWithT(w.t).Eventually(w.ready(a), patience, "5ms").Should(Equal(ready), reason)
}

func TestHotPlug(t *testing.T) {
	w := start(t)
	w.network("one")
	ping, pong := w.running("ping"), w.running("pong")
	a := w.attach(ping.pod, "one", "net1", 1)
	b := w.attach(pong.pod, "one", "data0", 2)
	w.becomes(a, "True Ready", "a running pod is attached")
	w.becomes(b, "True Ready", "and so is another")
	is, err := link.Inspect(pong.netns, "data0")
	if err != nil || is.MTU != 1442 || is.MAC.String() != b.Spec.MACAddress || len(is.Addresses) != 2 {
		t.Errorf("the interface is %+v (error %v)", is, err)
	}
	transfer(t, ping, pong, "10.0.0.2")
	transfer(t, pong, ping, "fd10::1")

	w.deleteNow(b)
	g := NewWithT(t)
	g.Eventually(w.left, patience, "5ms").Should(HaveLen(2), "what is deleted is unplugged")
	if !pong.missing("data0")() {
		t.Error("the interface is still in the pod")
	}
	again := w.attach(pong.pod, "one", "data0", 2)
	w.becomes(again, "True Ready", "a running pod is attached any number of times")
	transfer(t, ping, pong, "10.0.0.2")
}

// The policy that adds the Multus entry was missing: no ADD is ours, the
// attachment is there before the sandbox, and no DEL comes either.
func TestPodWithoutMultusEntry(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.annotatedPod("ping", map[string]string{"l2sm.io/networks": "one"})
	a := w.attach(pod, "one", "net1", 1)
	first, second := w.sandbox(pod, "c1"), w.sandbox(pod, "c2")
	first.is(false)
	NewWithT(t).Consistently(w.left, "200ms", "20ms").Should(BeEmpty(), "a sandbox that is not ready may be one that is being made")
	first.is(true)
	w.becomes(a, "True Ready", "the sandbox is ready")

	// The kubelet makes it again.
	nstest.RemoveNS(t, first.netns)
	first.is(false)
	w.becomes(a, "False Failed", "the device went with the sandbox")
	second.is(true)
	w.becomes(a, "True Ready", "the new sandbox is ready")
	if diff := cmp.Diff([]string{link.HostName("c2", "net1")}, w.Ports()); diff != "" {
		t.Errorf("ports after the sandbox was made again (-want +got):\n%s", diff)
	}
	w.runtime.Remove("c2")
	w.deleteNow(pod)
	w.deleteNow(a)
	NewWithT(t).Eventually(w.left, patience, "20ms").Should(BeEmpty(), "the pod is gone")
}

// A persistent attachment goes from one pod of its name to the next.
func TestRebind(t *testing.T) {
	w := start(t)
	w.network("one")
	first := w.running("ping")
	a := w.attach(first.pod, "one", "net1", 1)
	w.becomes(a, "True Ready", "the first pod is attached")

	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "", "" })
	NewWithT(t).Eventually(w.left, patience, "5ms").Should(BeEmpty(), "an attachment without a pod has no interface")
	w.deleteNow(first.pod)
	second := w.sandbox(w.annotatedPod("ping", nil), "c-second")
	second.is(true)
	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = second.pod.UID, nodeName })
	NewWithT(t).Eventually(w.Ports, patience, "5ms").Should(Equal([]string{link.HostName("c-second", "net1")}), "the next pod has it")
	w.becomes(a, "True Ready", "the next pod has it")
	if !first.missing("net1")() || second.missing("net1")() {
		t.Error("the interface is not in the new sandbox alone")
	}
}

// Users may write what they like into an attachment.
func TestForgedBinding(t *testing.T) {
	w := start(t)
	w.network("one")
	host := w.sandbox(w.hostNetworkPod("host"), "c-host")
	host.is(true)
	ended := w.running("ended")
	ended.pod.Status.Phase = corev1.PodSucceeded
	if err := w.Status().Update(t.Context(), ended.pod); err != nil {
		t.Fatal(err)
	}
	ping := w.running("ping")
	cases := map[string]struct {
		reason string
		pod    *corev1.Pod
		forge  func(*v1alpha1.L2Attachment)
	}{
		"OtherLife":   {"the UID is not the pod's", ping.pod, func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "00000000-0000-4000-8000-000000000000" }},
		"OtherName":   {"the UID is another pod's", ping.pod, func(a *v1alpha1.L2Attachment) { a.Spec.PodName = "host" }},
		"HostNetwork": {"the pod's network is the node's", host.pod, func(*v1alpha1.L2Attachment) {}},
		"Ended":       {"the pod has ended", ended.pod, func(*v1alpha1.L2Attachment) {}},
		"Incomplete":  {"the controller has not assigned anything", ping.pod, func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "" }},
	}
	for name, tc := range cases {
		a := w.attachment(tc.pod, "one", "net1", 1)
		a.Name = "forged-" + strings.ToLower(name)
		tc.forge(a)
		w.create(a)
		w.grant(a)
	}
	for _, s := range []*sandbox{host, ended, ping} {
		s.kubeletSpeaks()
	}
	NewWithT(t).Consistently(w.left, "500ms", "20ms").Should(BeEmpty(), "none of them is plugged in")
	b := w.attach(ping.pod, "one", "net1", 2)
	w.becomes(b, "True Ready", "and none of them is in the way")
}

func (w *world) hostNetworkPod(name string) *corev1.Pod {
	w.t.Helper()
	p := &corev1.Pod{Spec: corev1.PodSpec{NodeName: nodeName, HostNetwork: true, Containers: []corev1.Container{{Name: "c", Image: "none"}}}}
	p.Namespace, p.Name = w.namespace, name
	w.create(p)
	return p
}

const foreignMTU = 1400

// makes has the pod make an interface of its own.
func (s *sandbox) makes(iface string) {
	s.t.Helper()
	nstest.Do(s.t, s.netns, func() error {
		foreign := netlink.NewVeth(netlink.LinkAttrs{Name: iface, MTU: foreignMTU, TxQLen: -1})
		foreign.PeerName = "peer"
		return netlink.LinkAdd(foreign)
	})
}

func TestHotPlugWhereTheNameIsTaken(t *testing.T) {
	w := start(t)
	w.network("one")
	ping := w.running("ping")
	ping.makes("data0")
	a := w.attach(ping.pod, "one", "data0", 1)
	w.becomes(a, "False Failed", "the user is told")
	if is, err := link.Inspect(ping.netns, "data0"); err != nil || is.MTU != foreignMTU {
		t.Errorf("the pod's own interface is %+v (error %v) now", is, err)
	}
	rests := func() bool {
		before := w.runtime.Lists()
		time.Sleep(300 * time.Millisecond)
		return before == w.runtime.Lists()
	}
	NewWithT(t).Eventually(rests, patience).Should(BeTrue(), "nothing is tried again while nothing changes")
	nstest.Do(t, ping.netns, func() error {
		foreign, err := netlink.LinkByName("data0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(foreign)
	})
	ping.kubeletSpeaks()
	w.becomes(a, "True Ready", "the name is free")
}

// The first of two attachments with one interface's name keeps it.
func TestHotPlugWhereAnotherAttachmentIs(t *testing.T) {
	w := start(t)
	w.network("one")
	ping, pong := w.running("ping"), w.running("pong")
	first := w.attach(ping.pod, "one", "data0", 1)
	other := w.attach(pong.pod, "one", "net1", 3)
	w.becomes(first, "True Ready", "it is attached")
	w.becomes(other, "True Ready", "it is attached")
	index := ping.index("data0")

	second := w.attachment(ping.pod, "one", "data0", 2)
	second.Name = "second"
	w.create(second)
	w.grant(second)
	w.logicalPort(second)
	w.accept(second)
	w.becomes(second, "False Failed", "the name is taken")
	ping.kubeletSpeaks()
	NewWithT(t).Consistently(w.ready(first), "200ms", "20ms").Should(Equal("True Ready"))
	if now := ping.index("data0"); now != index {
		t.Errorf("the interface is another one: its index was %d and is %d", index, now)
	}
	transfer(t, ping, pong, "10.0.0.3")
	w.deleteNow(first)
	w.becomes(second, "True Ready", "the name is free")
	transfer(t, pong, ping, "10.0.0.2")
}

// Runtimes list a sandbox as ready while they tear it down.
func TestNothingIsPluggedAfterDel(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	a := w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	s.add()
	s.is(true)
	b := w.attach(pod, "one", "hot0", 2)
	w.becomes(a, "True Ready", "ADD has wired it")
	w.becomes(b, "True Ready", "the watch has")

	gc := *s
	gc.config = `{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm","cni.dev/valid-attachments":[{"containerID":"c1","ifname":"net1"}]}`
	gc.ok("GC")
	if left := w.left(); len(left) != 4 {
		t.Errorf("GC must leave what was plugged into a running pod alone: %v", left)
	}
	s.ok("DEL")
	w.nothingLeft("DEL takes what was plugged in since along")
	s.kubeletSpeaks()
	w.becomes(b, "False Wiring", "it is unplugged")
	NewWithT(t).Consistently(w.left, "300ms", "20ms").Should(BeEmpty(), "the sandbox is going")
	next := w.sandbox(pod, "c2")
	next.add()
	next.is(true)
	w.becomes(b, "True Ready", "the next sandbox has it, by its ADD")
}

// GC names the ADDs that are valid, and knows nothing of the watch's work.
func TestGCLeavesHotPortsAlone(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.annotatedPod("ping", map[string]string{"l2sm.io/networks": "one@data0", "k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm"})
	w.attach(pod, "one", "data0", 1)
	s := w.sandbox(pod, "c1")
	s.add()
	s.is(true)
	hot := w.attach(pod, "one", "net1", 2) // its name is the ADD's CNI_IFNAME
	w.becomes(hot, "True Ready", "the watch has plugged it in")
	w.runtime.Remove("c1") // or the watch would plug in at once what GC removes
	gc := *s
	gc.config = `{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm","cni.dev/valid-attachments":[{"containerID":"c1","ifname":"net9"}]}`
	gc.ok("GC")
	if s.missing("net1")() || !s.missing("data0")() {
		t.Error("GC removes what the ADD made, and that alone")
	}
	w.becomes(hot, "True Ready", "it goes on working")
}

// Open vSwitch's database is lost and made again; the links are where they were.
func TestConfDBLost(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	a := w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	s.add()
	s.is(true)
	pong := w.running("pong")
	b := w.attach(pong.pod, "one", "net1", 2)
	w.becomes(a, "True Ready", "ADD has wired it")
	w.becomes(b, "True Ready", "the watch has")
	before := []int{s.index("net1"), pong.index("net1")}

	w.LoseDatabase()
	g := NewWithT(t)
	g.Eventually(w.Ports, patience, "20ms").Should(ConsistOf(link.HostName("c1", "net1"), link.HostName("c-pong", "net1")), "the ports are made again")
	installed := func() []string {
		return strings.Fields(w.Ctl("--bare", "--columns=name", "find", "Interface", "external_ids:ovn-installed=true"))
	}
	g.Eventually(installed, patience, "20ms").Should(HaveLen(2), "the flows are there again")
	w.becomes(a, "True Ready", "the flows are there again")
	w.becomes(b, "True Ready", "the flows are there again")
	if diff := cmp.Diff(before, []int{s.index("net1"), pong.index("net1")}); diff != "" {
		t.Errorf("the interfaces must be the ones that they were (indexes, -before +after):\n%s", diff)
	}
	transfer(t, s, pong, "10.0.0.2")
	s.ok("DEL")
	g.Eventually(w.left, patience, "20ms").Should(HaveLen(2), "the DEL of its ADD finds the port again")
}

// index of an interface in the sandbox: another for each that is made.
func (s *sandbox) index(iface string) (index int) {
	s.t.Helper()
	nstest.Do(s.t, s.netns, func() error {
		is, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		index = is.Index
		return nil
	})
	return index
}

func TestReadyWithoutAPort(t *testing.T) {
	w := start(t)
	w.network("one")
	ping := w.running("ping")
	a := w.attach(ping.pod, "one", "net1", 1)
	w.becomes(a, "True Ready", "it is attached")
	w.refuse(a, v1alpha1.NetworkDetached(a.NetworkKey()))
	w.becomes(a, "False NetworkGone", "the controller has removed the port, whatever ovn-installed says")
	w.accept(a)
	w.becomes(a, "True Ready", "the network is back")
}

// A network that shuts a running pod out takes its interface away, and one that
// lets it in again gives it back.
func TestShutOut(t *testing.T) {
	w := start(t)
	w.network("one")
	ping, pong := w.running("ping"), w.running("pong")
	a := w.attach(ping.pod, "one", "net1", 1)
	b := w.attach(pong.pod, "one", "net1", 2)
	w.becomes(a, "True Ready", "it is attached")
	w.becomes(b, "True Ready", "so is another")
	g := NewWithT(t)

	// A user's own attachment keeps its spec.
	w.NB("lsp-del", "l2sm/"+w.namespace+"/"+a.Name)
	w.refuse(a, v1alpha1.NotAllowed(a.NetworkKey(), a.Namespace))
	g.Eventually(ping.missing("net1"), patience, "5ms").Should(BeTrue(), "it is unplugged")
	g.Eventually(w.left, patience, "5ms").Should(HaveLen(2), "port and link are gone, the other's stay")
	w.becomes(a, "False NotAllowed", "the agent says what the controller said")
	ping.kubeletSpeaks()
	g.Consistently(w.left, "300ms", "20ms").Should(HaveLen(2), "and it stays so")
	w.grant(a)
	w.logicalPort(a)
	w.accept(a)
	w.becomes(a, "True Ready", "it is let in again")
	transfer(t, ping, pong, "10.0.0.2")

	// A pod's own is made again, without MAC and addresses.
	w.deleteNow(a)
	again := w.attachment(ping.pod, "one", "net1", 1)
	again.Spec.MACAddress, again.Spec.Addresses = "", nil
	w.create(again)
	w.refuse(again, v1alpha1.NotAllowed(a.NetworkKey(), a.Namespace))
	g.Eventually(ping.missing("net1"), patience, "5ms").Should(BeTrue(), "it is another attachment")
	w.becomes(again, "False NotAllowed", "the agent says what the controller said")
	w.change(again, func(a *v1alpha1.L2Attachment) {
		a.Spec.MACAddress, a.Spec.Addresses = "0a:58:0a:00:00:09", []string{"10.0.0.9/24"}
	})
	g.Consistently(w.left, "300ms", "20ms").Should(HaveLen(2), "no MTU is granted")
	w.grant(again)
	w.logicalPort(again)
	w.accept(again)
	w.becomes(again, "True Ready", "it is let in")
	transfer(t, pong, ping, "10.0.0.9")
}

// An ADD takes along what a user attached to the pod.
func TestAddTakesAlongWhatUsersMade(t *testing.T) {
	w := start(t)
	w.network("one")
	w.network("two")
	pod := w.pod("ping", "one")
	w.attach(pod, "one", "net1", 1)
	w.attach(pod, "two", "data0", 2)
	bad := w.attachment(pod, "gone", "data1", 3)
	w.create(bad)
	w.refuse(bad, v1alpha1.NetworkNotFound(bad.NetworkKey()))
	s := w.sandbox(pod, "c1")
	NewWithT(t).Eventually(func() error {
		return w.Get(t.Context(), client.ObjectKeyFromObject(bad), bad)
	}, patience).Should(Succeed())
	var got []string
	for _, i := range s.add().Interfaces {
		got = append(got, i.Name)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"data0", "net1"}, got); diff != "" {
		t.Errorf("what ADD wires (-want +got):\n%s", diff)
	}
	s.ok("CHECK")
	s.ok("DEL")
	w.nothingLeft("the sandbox was deleted")
}
