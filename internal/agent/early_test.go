//go:build integration

package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/nri"
	"l2sm.io/l2sm/internal/nri/nritest"
)

// prompt is how soon the runtime must have its answer where there is nothing to
// wait for: it gives two seconds, and all other pods of the node wait.
var prompt = nstest.Patience(300 * time.Millisecond)

// startEarly makes a world whose runtime tells of sandboxes.
func startEarly(t *testing.T) (*world, *nritest.Runtime) {
	t.Helper()
	w := startNode(t)
	r := nritest.Start(t, t.TempDir())
	w.startEarlyAgent(r)
	return w, r
}

func (w *world) startEarlyAgent(r *nritest.Runtime) {
	w.t.Helper()
	w.startAgent(func(c *agent.Config) { c.AttachBy, c.NRISocket = v1alpha1.AttachAuto, r.Socket() })
	w.told(r)
}

// told waits until the agent is told of pods.
func (w *world) told(r *nritest.Runtime) {
	w.t.Helper()
	NewWithT(w.t).Eventually(r.Plugins, patience, "5ms").Should(Equal(1), "the runtime has the agent's plugin")
}

// asking is a pod that asks by our annotation alone.
func (w *world) asking(name, networks string) *corev1.Pod {
	w.t.Helper()
	return w.annotatedPod(name, map[string]string{"l2sm.io/networks": networks})
}

// early is the sandbox as the runtime tells of it.
func (s *sandbox) early() nri.Sandbox {
	return nri.Sandbox{
		ID: s.container, PodNamespace: s.pod.Namespace, PodName: s.pod.Name, PodUID: s.uid,
		Annotations: s.pod.Annotations, Netns: s.netns,
	}
}

// runs has the runtime make the sandbox, and then a container in it.
func (s *sandbox) runs(r *nritest.Runtime) {
	s.t.Helper()
	if err := r.Run(s.early()); err != nil {
		s.t.Fatalf("RunPodSandbox: %v", err)
	}
	if err := r.Create(s.early()); err != nil {
		s.t.Fatalf("CreateContainer: %v", err)
	}
}

func TestEarly(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	ping, pong := w.sandbox(w.asking("ping", "one"), "c-ping"), w.sandbox(w.asking("pong", "one@data0"), "c-pong")
	a, b := w.attach(ping.pod, "one", "net1", 1), w.attach(pong.pod, "one", "data0", 2)
	w.cached(r, ping)
	w.cached(r, pong)
	for s, iface := range map[*sandbox]string{ping: "net1", pong: "data0"} {
		is, err := link.Inspect(s.netns, iface)
		if err != nil || is.MTU != 1442 || len(is.Addresses) != 2 {
			t.Errorf("before a container is made, %s is %+v (error %v)", iface, is, err)
		}
	}
	transfer(t, ping, pong, "10.0.0.2")
	transfer(t, pong, ping, "fd10::1")
	ping.is(true)
	pong.is(true)
	w.becomes(a, "True Ready", "its flows are installed")
	w.becomes(b, "True Ready", "its flows are installed")

	for _, s := range []*sandbox{ping, pong} {
		if err := r.Remove(s.early()); err != nil {
			t.Error(err)
		}
	}
	w.nothingLeft("the runtime has told that the sandboxes are torn down, and no DEL comes")
}

// The runtime holds a lock of the whole node while it waits for an answer.
func TestWaitingPodDelaysNoOther(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	waits, other := w.sandbox(w.asking("waits", "one"), "c-waits"), w.sandbox(w.asking("other", "one"), "c-other")
	w.attach(other.pod, "one", "net1", 2)
	w.cached(r, other)

	for n := range 5 {
		began := time.Now()
		if err := r.Run(waits.early()); err != nil {
			t.Errorf("its sandbox fails: %v; containerd 2.3 leaves such behind", err)
		}
		err := r.Create(waits.early())
		if took := time.Since(began); took > prompt {
			t.Errorf("the runtime had its two answers after %v, want %v", took, prompt)
		}
		if err == nil || !strings.Contains(err.Error(), `network "`+w.namespace+`/one": L2Attachment`) {
			t.Fatalf("a container without its interface: %v", err)
		}
		another := w.sandbox(w.annotatedPod(fmt.Sprintf("none-%d", n), nil), fmt.Sprintf("c-none-%d", n))
		began = time.Now()
		another.runs(r)
		if took := time.Since(began); took > prompt {
			t.Errorf("meanwhile another pod waits for %v", took)
		}
		if err := r.Remove(another.early()); err != nil {
			t.Error(err)
		}
	}
	waits.is(true)
	a := w.attach(waits.pod, "one", "net1", 1)
	NewWithT(t).Consistently(waits.missing("net1"), "200ms", "20ms").Should(BeTrue(), "one way at a time: the container's next try attaches it")
	if err := r.Create(waits.early()); err != nil {
		t.Fatalf("the attachment is there: %v", err)
	}
	transfer(t, waits, other, "10.0.0.2")
	w.becomes(a, "True Ready", "it is attached")
}

// Multus' ADD comes first, and keeps what it made until its DEL.
func TestEarlyBesideMultus(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	pod := w.pod("ping", "one")
	a := w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	s.add()
	made := w.Ctl("get", "interface", w.Ports()[0], "_uuid", "external_ids:l2sm.io/config")
	s.runs(r)
	if is := w.Ctl("get", "interface", w.Ports()[0], "_uuid", "external_ids:l2sm.io/config"); is != made {
		t.Errorf("the ADD's port was %s and is %s", made, is)
	}
	w.becomes(a, "True Ready", "it is attached")
	if err := r.Remove(s.early()); err != nil {
		t.Error(err)
	}
	if len(w.Ports()) != 1 {
		t.Error("what an ADD made goes with its DEL")
	}
	s.ok("DEL")
	w.nothingLeft("the DEL came")
}

// Flows may come after the half second that a starting pod waits for them.
func TestEarlyFlowsComeLate(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	ping, pong := w.sandbox(w.asking("ping", "one"), "c-ping"), w.sandbox(w.asking("pong", "one"), "c-pong")
	w.attach(pong.pod, "one", "net1", 2)
	a := w.attachment(ping.pod, "one", "net1", 1)
	w.create(a)
	w.grant(a) // and the controller is slow with the port
	w.cached(r, pong)
	w.cached(r, ping)
	s := w.sandbox(ping.pod, "c-again") // the kubelet made its sandbox again
	began := time.Now()
	s.runs(r)
	if took, most := time.Since(began), 500*time.Millisecond+prompt; took < 400*time.Millisecond || took > most {
		t.Errorf("a pod whose flows are late starts after %v, want half a second and at most %v", took, most)
	}
	if is, err := link.Inspect(s.netns, "net1"); err != nil || len(is.Addresses) != 2 {
		t.Errorf("it starts with %+v (error %v)", is, err)
	}
	s.is(true)
	NewWithT(t).Consistently(w.ready(a), "200ms", "20ms").ShouldNot(ContainSubstring("True"))
	w.logicalPort(a)
	w.accept(a)
	w.becomes(a, "True Ready", "its flows are installed")
	transfer(t, s, pong, "10.0.0.2")
}

// cached waits until the agent knows the sandbox's pod and attachments, and has it
// attached.
func (w *world) cached(r *nritest.Runtime, s *sandbox) {
	w.t.Helper()
	if err := r.Run(s.early()); err != nil {
		w.t.Fatal(err)
	}
	NewWithT(w.t).Eventually(func() error { return r.Create(s.early()) }, patience, "10ms").Should(Succeed(), "the caches have it")
}

// Without the agent no pod waits, and it is attached late.
func TestEarlyWithoutAgent(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	runs, bare := w.sandbox(w.asking("runs", "one"), "c-runs"), w.sandbox(w.asking("bare", "one"), "c-bare")
	a, b := w.attach(runs.pod, "one", "net1", 1), w.attach(bare.pod, "one", "net1", 2)
	w.stopAgent()
	NewWithT(t).Eventually(func() int { _ = r.Run(nri.Sandbox{ID: "other"}); return r.Plugins() }, patience, "10ms").Should(BeZero())
	runs.runs(r)
	runs.is(true)
	if err := r.Run(bare.early()); err != nil {
		t.Fatal(err)
	}
	bare.is(true)
	w.nothingLeft("no agent, no interface")

	w.startEarlyAgent(r)
	w.becomes(a, "True Ready", "a pod that runs is attached as such")
	NewWithT(t).Consistently(bare.missing("net1"), "200ms", "20ms").Should(BeTrue(), "a sandbox without containers waits for them")
	if err := r.Create(bare.early()); err != nil {
		t.Error(err)
	}
	w.becomes(b, "True Ready", "its container asked")
	transfer(t, runs, bare, "10.0.0.2")
}

func TestEarlyRuntimeRestarts(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	waits, next := w.sandbox(w.asking("waits", "one"), "c-waits"), w.sandbox(w.asking("next", "one"), "c-next")
	if err := r.Run(waits.early()); err != nil {
		t.Fatal(err)
	}
	waits.is(true)
	a := w.attach(waits.pod, "one", "net1", 1)
	w.attach(next.pod, "one", "net1", 2)
	r.Stop()
	w.becomes(a, "True Ready", "no container will ask any more: it is attached as one that runs")
	r.Serve()
	w.told(r)
	next.runs(r)
	transfer(t, next, waits, "10.0.0.1")
}

// The pause process died: there is a new sandbox, and no CNI plugin of ours.
func TestEarlySandboxIsReplaced(t *testing.T) {
	w, r := startEarly(t)
	w.network("one")
	first := w.sandbox(w.asking("ping", "one"), "c1")
	a := w.attach(first.pod, "one", "net1", 1)
	w.cached(r, first)
	second := w.sandbox(first.pod, "c2")
	nstest.RemoveNS(t, first.netns)
	if err := r.Remove(first.early()); err != nil {
		t.Error(err)
	}
	second.runs(r)
	if diff := cmp.Diff([]string{link.HostName("c2", "net1")}, w.Ports()); diff != "" {
		t.Errorf("ports after the sandbox was made again (-want +got):\n%s", diff)
	}
	second.is(true)
	w.becomes(a, "True Ready", "the new sandbox has it")
}

// What a user wrote is an error of the pod's containers alone, as is what the node
// lacks.
func TestEarlyRefusesContainers(t *testing.T) {
	cases := map[string]struct {
		networks string
		before   func(*world)
		says     string
	}{
		"Syntax":   {"[{", func(*world) {}, "annotation l2sm.io/networks"},
		"TooMany":  {strings.Repeat("one,", 70) + "one", func(*world) {}, "annotation l2sm.io/networks"},
		"Database": {"one", func(w *world) { w.StopServer() }, "not connected"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, r := startEarly(t)
			w.network("one")
			s := w.sandbox(w.asking("ping", tc.networks), "c1")
			tc.before(w)
			if err := r.Run(s.early()); err != nil {
				t.Errorf("its sandbox fails: %v", err)
			}
			NewWithT(t).Eventually(func() string {
				if err := r.Create(s.early()); err != nil {
					return err.Error()
				}
				return "no error"
			}, patience, "10ms").Should(ContainSubstring(tc.says))
			if !s.missing(s.ifname)() {
				t.Error("it has an interface")
			}
		})
	}
}
