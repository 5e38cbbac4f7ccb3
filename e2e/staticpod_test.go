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
	s := newScenario(t)
	n := nodes(t)[1]
	s.apply(network("net", "10.181.0.0/24"), pod{name: "peer", node: nodes(t)[0], networks: "net"}.String())
	s.ready("peer")
	for name, p := range map[string]pod{"own": {networks: "net"}, "multus": {multus: `[{"name": "net"}]`}} {
		p.name, p.namespace = name, s.namespace
		path := fmt.Sprintf("/var/lib/kubelet/static/%s-%s.json", s.namespace, name)
		remove := func() { node(t, n, "rm", "-f", path) }
		t.Cleanup(remove)
		if out, err := labInput(p.String(), "node", n, "sh", "-c", "cat > "+path); err != nil {
			t.Fatalf("write the pod's file: %v\n%s", err, out)
		}
		mirror := name + "-" + n
		s.says("Running", "get", "pod", mirror, "--ignore-not-found", "-o", "jsonpath={.status.phase}")
		s.ready(mirror)
		s.links(mirror, "net1")
		s.pings("peer", s.address(mirror, "net1", 4))
		s.networkStatus(mirror, "net1")
		s.auditNamesNothing("a static pod runs")
		remove()
		s.kubectl("wait", "--for=delete", "--timeout=60s", "pod/"+mirror)
	}
}
