//go:build e2e

package e2e

// Lab only: it removes an admission policy.

import "testing"

// A pod that is created while the admission policy is missing starts without
// its networks and is attached by itself.
func TestPodWithoutAdmissionPolicy(t *testing.T) {
	s := newLoneScenario(t)
	const binding = "mutatingadmissionpolicybinding/l2sm-pod-networks"
	s.apply(network("net", "10.115.0.0/24"), pod{name: "peer", node: nodes(t)[1], networks: "net"}.String())
	s.ready("peer")
	s.kubectl("delete", binding)
	s.Cleanup(func() { s.kubectl("apply", "-k", "manifests/policies") })
	// The API server forgets a policy's binding after a moment.
	s.eventually("a pod without Multus' entry", func() error {
		out := s.kubectl("create", "--dry-run=server", "-o", "jsonpath={.metadata.annotations}", "-f", s.file(pod{name: "late", networks: "net"}.String()))
		return mentions(out, "l2sm-system/l2sm")
	})
	s.apply(pod{name: "late", node: nodes(t)[0], networks: "net"}.String())
	s.ready("late")
	s.links("late", "net1")
	s.networkStatus("late", "net1")
	s.reaches("late", s.address("peer", "net1", 4))
}
