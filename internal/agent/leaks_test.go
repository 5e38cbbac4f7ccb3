//go:build integration

package agent_test

import (
	"testing"

	. "github.com/onsi/gomega"
)

// No DEL ever comes for what these sandboxes leave.
func TestSweep(t *testing.T) {
	cases := map[string]struct {
		reason string
		leave  func(*world, *sandbox)
	}{
		"PodGoes": {"its sandbox is not listed any more when the pod goes", func(w *world, s *sandbox) {
			w.runtime.Remove(s.container)
			w.deleteNow(s.pod)
		}},
		"AgentAway": {"an agent that starts looks", func(w *world, s *sandbox) {
			w.stopAgent()
			w.runtime.Remove(s.container)
			w.deleteNow(s.pod)
			w.startAgent()
		}},
		"OVSAway": {"so does one whose Open vSwitch comes back", func(w *world, s *sandbox) {
			w.StopServer()
			w.runtime.Remove(s.container)
			w.deleteNow(s.pod)
			w.StartServer()
		}},
		"RuntimeAway": {"and one whose runtime comes back", func(w *world, s *sandbox) {
			w.runtime.Stop()
			w.runtime.Remove(s.container)
			w.deleteNow(s.pod)
			NewWithT(w.t).Consistently(w.left, "300ms", "20ms").Should(HaveLen(2), "what can't be known is left alone")
			w.runtime.Serve()
		}},
		"NextSandbox": {"the pod has another sandbox", func(w *world, s *sandbox) {
			w.runtime.Remove(s.container)
			next := w.sandbox(s.pod, "c-next")
			next.is(true)
			w.deleteNow(w.attachment(s.pod, "one", "net1", 1))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, s := wired(t)
			s.is(true)
			w.becomes(w.attachment(s.pod, "one", "net1", 1), "True Ready", "it is wired")
			tc.leave(w, s)
			NewWithT(t).Eventually(w.left, patience, "20ms").Should(BeEmpty(), tc.reason)
		})
	}
}

// containerd 1.6 lists a sandbox only when its ADD is done: whatever makes the
// agent look meanwhile, it must not take the ADD's work for a leak.
func TestSweepLeavesAnAddAlone(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	a := w.attachment(pod, "one", "net1", 1)
	w.create(a) // but no logical port: ADD waits for its flows
	w.grant(a)
	s := w.sandbox(pod, "c1")
	added := s.starts("ADD")
	g := NewWithT(t)
	g.Eventually(w.left, patience, "5ms").Should(HaveLen(2), "the interface is plugged")
	bystander := w.running("bystander")
	before := w.runtime.Lists()
	w.StopServer()
	w.StartServer()
	w.deleteNow(bystander.pod)
	g.Eventually(w.runtime.Lists, patience, "5ms").Should(BeNumerically(">", before), "the agent has looked")
	g.Consistently(w.left, "300ms", "20ms").Should(HaveLen(2), "an ADD is under way")
	w.logicalPort(a)
	w.accept(a)
	<-added
	s.ok("CHECK")
	s.ok("DEL")
	w.nothingLeft("the sandbox was deleted")
}
