//go:build e2e

package e2e

// Lab only: it rolls all workloads of l2sm.

import (
	"testing"
	"time"
)

// Everything that runs is rolled, as by an update, under traffic.
func TestRolledWorkloads(t *testing.T) {
	whole := newLoneScenario(t)
	whole.pair(nodes(t)[0], nodes(t)[1])
	for name, tc := range map[string]struct {
		kept   string
		outage time.Duration // 0: nothing may be lost
	}{
		"ds/l2sm-agent":          {kept: "pods' traffic"},
		"deploy/l2sm-controller": {kept: "pods' traffic"},
		"ds/ovn-node":            {kept: "pods, ports, chassis and TCP connections", outage: 20 * time.Second},
		"deploy/ovn-central":     {kept: "pods, ports and TCP connections", outage: readsAnew},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			rolled, action := "kubectl rollout restart "+name, func() {
				system(t, "rollout", "restart", name)
				system(t, "rollout", "status", name, "--timeout=80s")
				s.stillServes()
			}
			if tc.outage == 0 {
				s.report(rolled, tc.kept, s.losesNothing(action))
			} else {
				s.report(rolled, tc.kept, s.breaksFor(tc.outage, action))
			}
			s.sameChassis()
			s.consistent()
		})
	}
}

// ovn-controller alone ends as when its pod is replaced: its chassis and its
// flows stay.
func TestOVNControllerEndsGracefully(t *testing.T) {
	s := newLoneScenario(t)
	first := nodes(t)[0]
	s.pair(first, nodes(t)[1])
	f := s.losesNothing(func() {
		before := processes(first, ovnController)
		name := system(t, "get", "pod", "-l", "app.kubernetes.io/name=ovn-node", "--field-selector", "spec.nodeName="+first, "-o", "name")
		// The container's preStop hook, as the kubelet runs it.
		hook := system(t, "get", name, "-o", `jsonpath={.spec.containers[?(@.name=="ovn-controller")].lifecycle.preStop.exec.command}`)
		system(t, append([]string{"exec", name, "-c", "ovn-controller", "--"}, words(hook)...)...)
		s.eventually("another ovn-controller", func() error { return another(before, processes(first, ovnController)) })
		s.stillServes()
	})
	s.report("ovn-controller told to end, as when its pod is replaced", "flows and chassis stay", f)
	s.sameChassis()
}
