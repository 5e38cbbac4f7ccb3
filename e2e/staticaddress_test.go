//go:build e2e || conformance

package e2e

import (
	"testing"
)

// A Deployment's new pod waits for the static address that the old one has, and
// is told what to set; with that the update finishes.
func TestStaticAddressInARollingUpdate(t *testing.T) {
	s := newScenario(t)
	n := nodes(t)[0]
	s.apply(network("net", "10.137.0.0/24", "fd37::/64"), deployment("web", static("net", "10.137.0.10", "fd37::10"), n),
		pod{name: "client", node: nodes(t)[1], networks: "net"}.String())
	s.kubectl("rollout", "status", "deploy/web", "--timeout=80s")
	s.ready("client")
	former := s.kubectl("get", "pods", "-l", "app=web", "-o", "name")

	s.kubectl("rollout", "restart", "deploy/web")
	s.says("maxSurge: 0", "get", "events", "--field-selector", "reason=AddressTaken")
	s.pings("client", "10.137.0.10") // the old one serves

	s.kubectl("patch", "deploy", "web", "-p", `{"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}}`)
	s.kubectl("rollout", "status", "deploy/web", "--timeout=80s")
	s.kubectl("wait", "--for=delete", "--timeout=80s", former)
	s.reaches("client", "10.137.0.10")
	s.reaches("client", "fd37::10")
}
