//go:build integration

package agent_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link"
)

// DEL succeeds whatever is away, and what it can't remove is swept.
func TestDelWhateverIsAway(t *testing.T) {
	cases := map[string]struct {
		reason      string
		away, again func(*world)
	}{
		"Agent":       {"it is restarting", func(w *world) { w.stopAgent() }, func(w *world) { w.startAgent() }},
		"OpenVSwitch": {"its database does not answer", func(w *world) { w.StopServer() }, func(w *world) { w.StartServer() }},
		"Both":        {"the node's pods are being replaced", func(w *world) { w.stopAgent(); w.StopServer() }, func(w *world) { w.StartServer(); w.startAgent() }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, s := wired(t)
			s.is(true)
			tc.away(w)
			s.ok("DEL")
			s.is(false)
			if _, err := link.Inspect(s.netns, "net1"); err == nil {
				t.Errorf("%s: the interface is still in the pod", tc.reason)
			}
			w.deleteNow(s.pod)
			tc.again(w)
			NewWithT(t).Eventually(w.left, patience, "20ms").Should(BeEmpty(), tc.reason)
		})
	}
}
