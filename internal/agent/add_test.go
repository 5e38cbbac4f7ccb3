//go:build integration

package agent_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
)

// transfer moves a megabyte from one sandbox to another over TCP: what
// checksums and MTU would break. Both ends drop their connection at the end: one
// that waits for the last acknowledgement of a namespace that is gone holds its own
// for minutes.
func transfer(t *testing.T, from, to *sandbox, address string) {
	t.Helper()
	const size = 1 << 20
	var listener net.Listener
	nstest.Do(t, to.netns, func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort(address, "7"))
		return err
	})
	defer listener.Close()
	received := make(chan int64, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			received <- -1
			return
		}
		defer drop(conn)
		n, _ := io.Copy(io.Discard, io.LimitReader(conn, size))
		_, _ = conn.Write([]byte{0})
		received <- n
	}()
	nstest.Do(t, from.netns, func() error {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, "7"), 5*time.Second)
		if err != nil {
			return err
		}
		defer drop(conn)
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := conn.Write(make([]byte, size)); err != nil {
			return err
		}
		_, err = conn.Read(make([]byte, 1))
		return err
	})
	if n := <-received; n != size {
		t.Errorf("%d of %d bytes arrived at %s", n, size, address)
	}
}

// drop closes a TCP connection and leaves nothing of it to the kernel.
func drop(conn net.Conn) {
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func TestAddAndDel(t *testing.T) {
	w := start(t)
	w.network("one")
	w.network("two", 1300)
	ping, pong := w.pod("ping", "one, two"), w.pod("pong", "one")
	first := w.attach(ping, "one", "net1", 1)
	w.attach(ping, "two", "net2", 1)
	w.attach(pong, "one", "net1", 2)

	a, b := w.sandbox(ping, "c-ping"), w.sandbox(pong, "c-pong")
	result := a.add()
	b.add()
	var got []string
	for _, i := range result.Interfaces {
		got = append(got, fmt.Sprintf("%s %s %d %v", i.Name, i.Mac, i.Mtu, i.Sandbox == a.netns))
	}
	for _, ip := range result.IPs {
		got = append(got, fmt.Sprintf("%d %s", *ip.Interface, ip.Address.String()))
	}
	want := []string{
		"net1 0a:58:0a:00:00:01 1442 true", "net2 0a:58:0a:00:00:01 1300 true",
		"0 10.0.0.1/24", "0 fd10::1/64", "1 10.0.0.1/24", "1 fd10::1/64",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("one ADD returns every interface that the pod asks for (-want +got):\n%s", diff)
	}
	second, err := link.Inspect(a.netns, "net2")
	if err != nil || second.MTU != 1300 || second.MAC.String() != "0a:58:0a:00:00:01" {
		t.Errorf("interface net2 is %+v (error %v)", second, err)
	}
	transfer(t, a, b, "10.0.0.2")
	transfer(t, b, a, "fd10::1")
	NewWithT(t).Eventually(w.ready(first), patience, "20ms").Should(Equal("True Ready"))

	a.ok("DEL")
	b.ok("DEL")
	w.nothingLeft("both sandboxes were deleted")
	NewWithT(t).Eventually(w.ready(first), patience, "20ms").Should(Equal("False Wiring"))
}

func TestAddOfOneNetwork(t *testing.T) {
	w := start(t)
	w.network("one")
	w.network("two")
	pod := w.annotatedPod("ping", map[string]string{"k8s.v1.cni.cncf.io/networks": w.namespace + "/one, two"})
	w.attach(pod, "one", "net1", 1)
	w.attach(pod, "two", "net2", 2)
	first := w.sandbox(pod, "c1")
	second := *first
	for s, network := range map[*sandbox]string{first: "one", &second: "two"} {
		s.config = fmt.Sprintf(`{"cniVersion":"1.0.0","name":%q,"type":"l2sm","network":{"namespace":%q,"name":%q}}`, network, w.namespace, network)
	}
	second.ifname = "net2"

	for s, iface := range map[*sandbox]string{first: "net1", &second: "net2"} {
		if result := s.add(); len(result.Interfaces) != 1 || result.Interfaces[0].Name != iface {
			t.Errorf("ADD for %s returned %v: a network's own definition wires its interface alone", iface, result.Interfaces)
		}
	}
	second.ok("DEL")
	if _, err := link.Inspect(first.netns, "net1"); err != nil || len(w.left()) != 2 {
		t.Errorf("DEL of net2 must leave net1 alone: %v (error %v)", w.left(), err)
	}
	first.ok("CHECK")
	first.ok("DEL")
	w.nothingLeft("both interfaces were deleted")
}

// A network's definition is named like it: up to 253 bytes, of which the kernel
// stores fewer on a link.
func TestAddOfALongName(t *testing.T) {
	w := start(t)
	long := strings.Repeat("n", 60) + "." + strings.Repeat("n", 60) + "." + strings.Repeat("n", 60) + "." + strings.Repeat("n", 60)
	w.network(long)
	pod := w.annotatedPod("ping", map[string]string{"k8s.v1.cni.cncf.io/networks": fmt.Sprintf(`[{"namespace":%q,"name":%q}]`, w.namespace, long)})
	w.attach(pod, long, "net1", 1)
	s := w.sandbox(pod, "4f2a9c1e6f0b4f2a9c1e6f0b4f2a9c1e6f0b4f2a9c1e6f0b4f2a9c1e6f0b4f2a")
	config := func(more string) string {
		return fmt.Sprintf(`{"cniVersion":"1.1.0","name":%q,"type":"l2sm","network":{"namespace":%q,"name":%q}%s}`, long, w.namespace, long, more)
	}
	s.config = config("")
	s.add()
	s.ok("CHECK")
	s.config = config(fmt.Sprintf(`,"cni.dev/valid-attachments":[{"containerID":%q,"ifname":"net1"}]`, s.container))
	s.ok("GC")
	if left := w.left(); len(left) != 2 {
		t.Errorf("GC removed what is valid: %v are left", left)
	}
	s.config = config(`,"cni.dev/valid-attachments":[]`)
	s.ok("GC")
	w.nothingLeft("GC removes what is not valid any more")
	s.config = config("")
	s.add()
	s.ok("DEL")
	w.nothingLeft("the sandbox was deleted")
}

func TestAddOfNothing(t *testing.T) {
	w := start(t)
	s := w.sandbox(w.annotatedPod("ping", map[string]string{"k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm"}), "c1")
	if result := s.add(); len(result.Interfaces) != 0 {
		t.Errorf("ADD for a pod that asks for nothing returned %v", result.Interfaces)
	}
	s.ok("DEL")
}

// Where each node has databases of its own, a port is nowhere before it has a key.
func TestAddWaitsForTunnelKey(t *testing.T) {
	w := start(t, func(c *agent.Config) { c.Fabric = v1alpha1.FabricZones })
	w.network("one")
	pod := w.pod("ping", "one")
	s := w.sandbox(pod, "c1")
	a := w.attach(pod, "one", "net1", 1)
	added := make(chan *types.Error, 1)
	go func() {
		_, e := s.run("ADD")
		added <- e
	}()
	select {
	case e := <-added:
		t.Fatalf("ADD ended with %v before its attachment had a tunnel key", e)
	case <-time.After(100 * time.Millisecond):
	}
	w.applyStatus(a, map[string]any{"mtu": int64(w.mtus["one"]), "tunnelKey": int64(7)})
	if e := <-added; e != nil {
		t.Errorf("ADD after the key was written: %v", e)
	}
}

func TestAddWaitsForItsAttachment(t *testing.T) {
	w := start(t)
	pod := w.pod("ping", "one")
	s := w.sandbox(pod, "c1")
	added := make(chan *types.Error, 1)
	go func() {
		_, e := s.run("ADD")
		added <- e
	}()
	// Written without a network first, as the controller does.
	a := w.attachment(pod, "one", "net1", 1)
	mac, addresses := a.Spec.MACAddress, a.Spec.Addresses
	a.Spec.MACAddress, a.Spec.Addresses = "", nil
	w.create(a)
	w.refuse(a, v1alpha1.NetworkNotFound(a.NetworkKey()))
	select {
	case e := <-added:
		t.Fatalf("ADD ended with %v before its attachment was complete", e)
	case <-time.After(100 * time.Millisecond):
	}
	w.network("one")
	w.change(a, func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress, a.Spec.Addresses = mac, addresses })
	select {
	case e := <-added:
		t.Fatalf("ADD ended with %v before its attachment had an MTU", e)
	case <-time.After(100 * time.Millisecond):
	}
	w.grant(a)
	w.logicalPort(a)
	if e := <-added; e != nil {
		t.Errorf("ADD after its network appeared: %v", e)
	}
}

func TestAddFails(t *testing.T) {
	w := start(t, func(c *agent.Config) { c.AttachTimeout, c.InstallTimeout = 200*time.Millisecond, 500*time.Millisecond })
	w.network("one")
	add := func(p *corev1.Pod) *sandbox { return w.sandbox(p, "c-"+p.Name) }
	cases := map[string]struct {
		reason string
		pod    func(name string) *sandbox
		code   uint
		says   string
	}{
		"Malformed": {"nothing mends an annotation that can't be read",
			func(n string) *sandbox { return add(w.pod(n, "one,,two")) }, 7, "entry 2 is empty"},
		"NoAttachment": {"the controller is not there",
			func(n string) *sandbox { return add(w.pod(n, "one")) }, 11, "is l2sm-controller running"},
		"NoNetwork": {"the controller says why",
			func(n string) *sandbox {
				p := w.pod(n, "none")
				a := w.attachment(p, "none", "net1", 1)
				a.Spec.MACAddress, a.Spec.Addresses = "", nil
				w.create(a)
				w.refuse(a, v1alpha1.NetworkNotFound(a.NetworkKey()))
				return add(p)
			}, 11, "does not exist"},
		"NoMTU": {"the controller has not granted it",
			func(n string) *sandbox {
				p := w.pod(n, "one")
				w.create(w.attachment(p, "one", "net1", 1))
				return add(p)
			}, 11, "has no MTU yet"},
		"Forged": {"an attachment of another life of the pod is not its",
			func(n string) *sandbox {
				p := w.pod(n, "one")
				a := w.attachment(p, "one", "net1", 1)
				a.Spec.PodUID = "00000000-0000-4000-8000-000000000000"
				w.create(a)
				return add(p)
			}, 11, "00000000-0000-4000-8000-000000000000"},
		"OtherPod": {"the sandbox is of a pod that is gone",
			func(n string) *sandbox {
				p := w.pod(n, "one")
				p.UID = "00000000-0000-4000-8000-000000000000"
				return add(p)
			}, 3, "has UID"},
		"NoPod": {"the pod is gone",
			func(n string) *sandbox {
				return add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: n, UID: "x"}})
			}, 3, "does not exist"},
		"NoNamespace": {"the pod's network namespace is gone",
			func(n string) *sandbox {
				p := w.pod(n, "one")
				w.attach(p, "one", "net1", 1)
				s := add(p)
				s.netns = "/run/netns/none"
				return s
			}, 999, "/run/netns/none"},
		"NameTaken": {"the second interface can't be made, so the first goes too",
			func(n string) *sandbox {
				p := w.pod(n, "one@data0, one@lo0")
				w.attach(p, "one", "data0", 2)
				w.attach(p, "one", "lo0", 3)
				s := add(p)
				s.makes("lo0")
				return s
			}, 999, "lo0"},
		"NoPort": {"the controller has refused the attachment after it was complete",
			func(n string) *sandbox {
				p := w.pod(n, "one")
				a := w.attachment(p, "one", "net1", 1)
				w.create(a)
				w.grant(a)
				w.refuse(a, v1alpha1.AttachmentRefused(v1alpha1.ReasonLinkFull, "the link has two ends"))
				return add(p)
			}, 11, "the link has two ends"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := tc.pod(strings.ToLower(name))
			s.fails("ADD", tc.code, tc.says)
			w.nothingLeft(tc.reason)
			if _, err := link.Inspect(s.netns, "data0"); err == nil {
				t.Errorf("%s: an interface is left in the pod", tc.reason)
			}
		})
	}
}

// A runtime that gives up kills the plugin, and a node's agent is rolled. The
// next try must find nothing half done.
func TestAddCutShort(t *testing.T) {
	cases := map[string]struct {
		reason string
		cut    func(*world, *exec.Cmd)
	}{
		"CallerGivesUp": {"the answer is not waited for", func(w *world, plugin *exec.Cmd) {
			if err := plugin.Process.Kill(); err != nil {
				w.t.Fatal(err)
			}
		}},
		"AgentStops": {"another agent is to serve the node", func(w *world, _ *exec.Cmd) { w.stopAgent() }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.network("one")
			pod := w.pod("ping", "one")
			a := w.attachment(pod, "one", "net1", 1)
			w.create(a) // but no logical port: ADD waits for its flows
			w.grant(a)
			s := w.sandbox(pod, "c1")
			plugin := s.command("ADD")
			if err := plugin.Start(); err != nil {
				t.Fatal(err)
			}
			g := NewWithT(t)
			g.Eventually(w.left, patience, "5ms").Should(HaveLen(2), "the interface is plugged")
			tc.cut(w, plugin)
			if err := plugin.Wait(); err == nil {
				t.Error("the plugin says that it succeeded")
			}
			g.Eventually(w.left, patience, "20ms").Should(BeEmpty(), tc.reason)

			w.stopAgent()
			w.startAgent()
			w.logicalPort(a)
			s.add()
		})
	}
}

// The kubelet makes a sandbox again under the same pod when its pause process
// dies; the old one is deleted before or after.
func TestAddOfANewSandbox(t *testing.T) {
	w := start(t)
	w.network("one")
	ping, pong := w.pod("ping", "one"), w.pod("pong", "one")
	a := w.attach(ping, "one", "net1", 1)
	w.attach(pong, "one", "net1", 2)
	other := w.sandbox(pong, "c-pong")
	other.add()
	old, fresh := w.sandbox(ping, "c-old"), w.sandbox(ping, "c-new")
	old.add()
	fresh.add()
	// Two ports of one logical port would cut both off.
	if diff := cmp.Diff(sorted(link.HostName("c-new", "net1"), link.HostName("c-pong", "net1")), sorted(w.Ports()...)); diff != "" {
		t.Errorf("ports after the second ADD (-want +got):\n%s", diff)
	}
	transfer(t, other, fresh, "10.0.0.1")
	if _, err := link.Inspect(old.netns, "net1"); err == nil {
		t.Error("the old sandbox still has an interface with the pod's address")
	}
	old.ok("DEL")
	fresh.ok("CHECK")
	transfer(t, fresh, other, "10.0.0.2")
	NewWithT(t).Eventually(w.ready(a), patience, "20ms").Should(Equal("True Ready"))
	fresh.ok("DEL")
	other.ok("DEL")
	w.nothingLeft("all sandboxes were deleted")
}

func sorted(names ...string) []string {
	slices.Sort(names)
	return names
}

func TestAddTwice(t *testing.T) {
	w := start(t)
	w.network("one")
	ping, pong := w.pod("ping", "one"), w.pod("pong", "one")
	w.attach(ping, "one", "net1", 1)
	w.attach(pong, "one", "net1", 2)
	a, b := w.sandbox(ping, "c-ping"), w.sandbox(pong, "c-pong")
	b.add()
	first := a.add()
	// However slow ovs-vswitchd is: it must not take the new device for the old.
	resume := w.PauseVswitchd()
	time.AfterFunc(500*time.Millisecond, resume)
	if diff := cmp.Diff(first, a.add()); diff != "" {
		t.Errorf("an ADD that is repeated gives the same (-first +second):\n%s", diff)
	}
	transfer(t, a, b, "10.0.0.2")
	if left := w.left(); len(left) != 4 {
		t.Errorf("two interfaces are a link and a port each, got %v", left)
	}
}

// An agent that died between making a link and plugging it left the link.
func TestAddAfterACrash(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	half := link.HostEnd{Name: link.HostName("c1", "net1"), Owner: link.Owner{Container: "c1", IfName: "net1", Config: "l2sm"}}
	inner := link.Interface{Name: "net1", MTU: 1400, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.9.9/24")}}
	if err := link.New("/proc/sys").Create(half, s.netns, inner, link.Kernel); err != nil {
		t.Fatal(err)
	}
	s.add()
	s.ok("CHECK")
	s.ok("DEL")
	w.nothingLeft("the sandbox was deleted")
}

// Calls for one pod and for many come as they like.
func TestAddsInParallel(t *testing.T) {
	w := start(t)
	w.network("one")
	var all []*sandbox
	for n := 1; n <= 10; n++ {
		pod := w.pod(fmt.Sprintf("pod-%d", n), "one")
		w.attach(pod, "one", "net1", n)
		all = append(all, w.sandbox(pod, fmt.Sprintf("c-%d", n)))
	}
	for _, verb := range []string{"ADD", "CHECK", "DEL"} {
		ended := make(chan *types.Error)
		for _, s := range all {
			go func() {
				_, e := s.run(verb)
				ended <- e
			}()
		}
		for range all {
			if e := <-ended; e != nil {
				t.Errorf("%s: code %d: %s", verb, e.Code, e.Msg)
			}
		}
	}
	w.nothingLeft("all sandboxes were deleted")
}

func TestReadyOfAForgedAttachment(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	w.attach(pod, "one", "net1", 1)
	forged := w.attachment(pod, "one", "net1", 2)
	forged.Name, forged.Annotations, forged.OwnerReferences = "forged", nil, nil
	w.create(forged)
	s := w.sandbox(pod, "c1")
	if result := s.add(); len(result.Interfaces) != 1 || result.Interfaces[0].Mac != "0a:58:0a:00:00:01" {
		t.Errorf("ADD wired %v, want what the pod asks for", result.Interfaces)
	}
	NewWithT(t).Consistently(w.ready(forged), "200ms", "20ms").Should(BeEmpty(), "a forged attachment gets nothing")
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(forged), forged); err != nil {
		t.Error(err)
	}
}
