//go:build e2e && zones

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// A cluster goes to the other fabric and back, as docs/fabrics.md says, while pods talk:
// no pod starts again, and each keeps its addresses and tunnel key. A node costs what
// another pod of ovn-node costs.
func TestFabricChanged(t *testing.T) {
	whole := newLoneScenario(t)
	whole.pair(nodes(t)[0], nodes(t)[1])
	kept := func() string {
		return whole.kubectl("get", "pods,l2att,l2net", "-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.status.containerStatuses[*].containerID} {.spec.addresses} {.status.tunnelKey}{"\n"}{end}`)
	}
	before := kept()
	for _, change := range []struct{ from, to, overlay string }{
		{"Zones", "Central", "manifests/overlays/lab"},
		{"Central", "Zones", "manifests/overlays/zones"},
	} {
		name := fmt.Sprintf("%s to %s", change.from, change.to)
		ok := t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			f := s.breaksFor(20*time.Second, func() { // as of TestRolledWorkloads
				if out, err := kubectl("apply", "-k", change.overlay); err != nil {
					t.Fatalf("apply %s: %v\n%s", change.overlay, err, out)
				}
				for _, workload := range []string{"ds/ovn-node", "ds/l2sm-agent", "deploy/l2sm-controller"} {
					system(t, "rollout", "status", workload, "--timeout=240s")
				}
				if change.to == "Zones" {
					system(t, "delete", "deployment,service,serviceaccount", "ovn-central")
				}
				s.stillServes()
			})
			s.report("fabric changed, "+name, "pods, addresses, tunnel keys and TCP connections", f)
			s.expect(kept(), before)
		})
		if !ok {
			t.FailNow()
		}
	}
}
