//go:build integration

package agent_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
)

// death stops an agent forever after its n-th step.
type death struct {
	n, steps atomic.Int32
	// came is closed at that step.
	came chan string
}

// startDoomedAgent starts an agent that dies when death is set.
func (w *world) startDoomedAgent() *death {
	w.t.Helper()
	d := &death{came: make(chan string, 1)}
	w.startAgent(func(c *agent.Config) {
		agent.WithStep(c, func(done string) {
			n := d.n.Load()
			if n == 0 || d.steps.Add(1) < n {
				return
			}
			select {
			case d.came <- done:
			default:
			}
			select {} // what comes here is dead
		})
	})
	return d
}

// awaits returns the step that the agent died after, and nothing where the work
// was done without. Its last step may show before it dies.
func (d *death) awaits(done <-chan struct{}) string {
	select {
	case step := <-d.came:
		return step
	case <-done:
	}
	select {
	case step := <-d.came:
		return step
	case <-time.After(300 * time.Millisecond):
		return ""
	}
}

// killedAtEachStep runs do with an agent that dies after its first step, then
// with one that dies after its second, and so on until do comes to its end.
// After each death there is a new agent for then.
func killedAtEachStep(t *testing.T, prepare func(*world, string) *sandbox, do func(*sandbox) (done <-chan struct{}), then func(*sandbox)) {
	w := start(t)
	w.network("one")
	w.stopAgent()
	for n := int32(1); ; n++ {
		d := w.startDoomedAgent()
		s := prepare(w, fmt.Sprintf("pod-%d", n))
		d.n.Store(n)
		done := do(s)
		step := d.awaits(done)
		if step == "" {
			w.stopAgent()
			if n < 3 {
				t.Errorf("it came to its end with %d steps: where was it to be killed?", n-1)
			}
			return
		}
		t.Logf("killed after step %d, %s", n, step)
		w.killAgent()
		w.startAgent()
		then(s)
		w.runtime.Remove(s.container)
		w.stopAgent()
	}
}

// asking is a pod that asks for an interface, with its attachment.
func asking(w *world, name string) *sandbox {
	w.t.Helper()
	pod := w.pod(name, "one")
	w.attach(pod, "one", "net1", 1)
	return w.sandbox(pod, "c-"+name)
}

// starts runs the command and tells when it has ended.
func (s *sandbox) starts(verb string) <-chan struct{} {
	s.t.Helper()
	done := make(chan struct{})
	cmd := s.command(verb)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return done
}

func (s *sandbox) attachmentIs() *v1alpha1.L2Attachment {
	return s.attachment(s.pod, "one", "net1", 1)
}

// ends has the API forget the pod and what belongs to it, as its owner's end
// does.
func (s *sandbox) ends() {
	s.t.Helper()
	s.deleteNow(s.pod)
	s.deleteNow(s.attachmentIs())
	s.noLogicalPort()
}

func (s *sandbox) noLogicalPort() {
	s.t.Helper()
	s.NB("lsp-del", "l2sm/"+s.namespace+"/"+s.attachmentIs().Name)
}

func TestKilledDuringAdd(t *testing.T) {
	thens := map[string]struct {
		reason string
		then   func(*sandbox)
	}{
		"DelFollows": {"the runtime removes the sandbox and makes another", func(s *sandbox) {
			s.ok("DEL")
			s.nothingLeft("DEL after an ADD that was cut short")
			next := s.sandbox(s.pod, s.container+"-next")
			next.add()
			next.ok("CHECK")
			next.ok("DEL")
			s.ends()
		}},
		"Repeated": {"the runtime asks again", func(s *sandbox) {
			s.add()
			s.ok("CHECK")
			s.ok("DEL")
			s.ends()
		}},
		"Forgotten": {"the runtime makes another sandbox and never removes the first", func(s *sandbox) {
			next := s.sandbox(s.pod, s.container+"-next")
			next.add()
			next.is(true)
			NewWithT(s.t).Eventually(s.left, patience, "10ms").Should(HaveLen(2), "the first one's is swept")
			next.ok("CHECK")
			next.ok("DEL")
			s.runtime.Remove(next.container)
			s.ends()
		}},
		"PodDeleted": {"the pod is given up", func(s *sandbox) { s.ends() }},
	}
	for name, tc := range thens {
		t.Run(name, func(t *testing.T) {
			killedAtEachStep(t, asking, func(s *sandbox) <-chan struct{} { return s.starts("ADD") }, func(s *sandbox) {
				tc.then(s)
				NewWithT(s.t).Eventually(s.left, patience, "10ms").Should(BeEmpty(), tc.reason)
			})
		})
	}
}

func TestKilledDuringDel(t *testing.T) {
	thens := map[string]struct {
		reason string
		then   func(*sandbox)
	}{
		"Repeated":  {"the runtime asks again", func(s *sandbox) { s.ok("DEL"); s.ends() }},
		"Forgotten": {"the runtime does not", func(s *sandbox) { s.ends() }},
	}
	added := func(w *world, name string) *sandbox {
		s := asking(w, name)
		s.add()
		return s
	}
	for name, tc := range thens {
		t.Run(name, func(t *testing.T) {
			killedAtEachStep(t, added, func(s *sandbox) <-chan struct{} { return s.starts("DEL") }, func(s *sandbox) {
				tc.then(s)
				NewWithT(s.t).Eventually(s.left, patience, "10ms").Should(BeEmpty(), tc.reason)
			})
		})
	}
}

func TestKilledDuringHotPlug(t *testing.T) {
	running := func(w *world, name string) *sandbox { return w.running(name) }
	plugs := func(s *sandbox) <-chan struct{} {
		a := s.attach(s.pod, "one", "net1", 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for s.ready(a)() != "True Ready" && s.t.Context().Err() == nil {
			}
		}()
		return done
	}
	killedAtEachStep(t, running, plugs, func(s *sandbox) {
		s.becomes(s.attachmentIs(), "True Ready", "the next agent finishes the work")
		if left := s.left(); len(left) != 2 {
			s.t.Errorf("an interface is a link and a port, got %v", left)
		}
		s.ends()
		NewWithT(s.t).Eventually(s.left, patience, "10ms").Should(BeEmpty(), "it is unplugged")
	})
}

func TestKilledDuringHotUnplug(t *testing.T) {
	attached := func(w *world, name string) *sandbox {
		s := w.running(name)
		w.becomes(w.attach(s.pod, "one", "net1", 1), "True Ready", "it is attached")
		return s
	}
	unplugs := func(s *sandbox) <-chan struct{} {
		s.deleteNow(s.attachmentIs())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for len(s.left()) > 0 && s.t.Context().Err() == nil {
			}
		}()
		return done
	}
	killedAtEachStep(t, attached, unplugs, func(s *sandbox) {
		NewWithT(s.t).Eventually(s.left, patience, "10ms").Should(BeEmpty(), "the next agent finishes the work")
		s.noLogicalPort()
		s.deleteNow(s.pod)
	})
}
