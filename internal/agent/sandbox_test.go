//go:build integration

package agent_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link"
)

// The pod's sandbox is replaced without a DEL or an ADD for us, and a process or a
// mount keeps the old network namespace: the interface that is still in it is not
// in the pod any more.
func TestPinnedOldNamespace(t *testing.T) {
	for name, restart := range map[string]bool{"Running": false, "Restarted": true} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.network("one")
			pod := w.annotatedPod("ping", map[string]string{"l2sm.io/networks": "one"})
			a := w.attach(pod, "one", "net1", 1)
			old := w.sandbox(pod, "c-old")
			old.is(true)
			g := NewWithT(t)
			g.Eventually(w.ready(a), patience, "20ms").Should(Equal("True Ready"))

			if restart {
				w.stopAgent()
			}
			fresh := w.sandbox(pod, "c-new")
			old.is(false)
			fresh.is(true)
			if restart {
				w.startAgent()
			}
			g.Eventually(func() error { _, err := link.Inspect(fresh.netns, "net1"); return err }, patience, "20ms").Should(Succeed(),
				"the sandbox that runs gets the interface")
			g.Eventually(w.ready(a), patience, "20ms").Should(Equal("True Ready"))
			if _, err := link.Inspect(old.netns, "net1"); err == nil {
				t.Error("the old one has it still")
			}
		})
	}
}
