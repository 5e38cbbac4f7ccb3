//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// The API server away for a minute: what runs keeps running, and what was
// asked for just before is done afterwards.
func TestAPIServerAway(t *testing.T) {
	const away = time.Minute
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	f := s.losesNothing(func() {
		s.apply(pod{name: "asked-before", node: nodes(t)[0], networks: "net"}.String())
		power(t, "stop", "apiserver")
		time.Sleep(away)
		power(t, "start", "apiserver")
		// Controllers that lose their lease end, and nodes that were silent are
		// found NotReady for a while.
		system(t, "rollout", "status", "deploy/l2sm-controller", "--timeout=80s")
		s.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "nodes", "--all")
		s.ready("asked-before")
		s.pings("asked-before", "10.70.255.2")
		s.kubectl("delete", "pod", "asked-before")
		s.stillServes()
	})
	s.report("kube-apiserver away for "+away.String(), "pods' traffic", f)
	s.consistent()
}
