//go:build e2e

package e2e

// Lab only: it puts a static pod on a node.

import (
	"fmt"
	"testing"
)

// A static pod, which a kubelet makes of a file and the API shows a mirror of,
// has its interfaces like another: a kubelet's name for its sandbox is not the
// mirror's UID.
func TestStaticPod(t *testing.T) {
	newScenario(t).runsStatic("10.181.0.0/24", pod{name: "own", networks: "net"})
}

func TestStaticPodByMultusAnnotation(t *testing.T) {
	newScenario(t).runsStatic("10.182.0.0/24", pod{name: "multus", multus: `[{"name": "net"}]`})
}

// runsStatic runs the pod from a file on a node, beside another on its network.
func (s *scenario) runsStatic(subnet string, p pod) {
	s.Helper()
	n := nodes(s.T)[1]
	s.apply(network("net", subnet), pod{name: "peer", node: nodes(s.T)[0], networks: "net"}.String())
	s.ready("peer")
	p.namespace = s.namespace
	path := fmt.Sprintf("/var/lib/kubelet/static/%s-%s.json", s.namespace, p.name)
	remove := func() { node(s.T, n, "rm", "-f", path) }
	s.Cleanup(remove)
	if out, err := labInput(p.String(), "node", n, "sh", "-c", "cat > "+path); err != nil {
		s.Fatalf("write the pod's file: %v\n%s", err, out)
	}
	mirror := p.name + "-" + n
	s.says("Running", "get", "pod", mirror, "--ignore-not-found", "-o", "jsonpath={.status.phase}")
	s.ready(mirror)
	s.links(mirror, "net1")
	s.pings("peer", s.address(mirror, "net1", 4))
	s.networkStatus(mirror, "net1")
	s.auditNamesNothing("a static pod runs")
	remove()
	s.kubectl("wait", "--for=delete", "--timeout=60s", "pod/"+mirror)
}
