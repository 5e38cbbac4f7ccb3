//go:build integration

package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

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
	w.startAgent(func(c *agent.Config) { c.AttachBy, c.NRISocket = agent.AttachAuto, r.Socket() })
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
	NewWithT(t).Eventually(func() error { _ = r.Run(ping.early()); return r.Create(ping.early()) }, patience, "10ms").Should(Succeed(), "the caches have it")
	pong.runs(r)
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
	NewWithT(t).Eventually(func() error { _ = r.Run(other.early()); return r.Create(other.early()) }, patience, "10ms").Should(Succeed(), "the caches have it")

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
