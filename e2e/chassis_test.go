//go:build e2e

package e2e

// Lab only: it plugs an impostor into a node.

import (
	"fmt"
	"strings"
	"testing"
)

// An interface on another node that claims a pod's port, to the pod's very UID,
// is not given it: all that is sent to the pod reaches the pod, and nothing is
// answered twice.
func TestImpostorOnAnotherNode(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.201.0.0/24"),
		pod{name: "victim", node: nodes(t)[0], networks: "net"}.String(),
		pod{name: "peer", node: nodes(t)[2], networks: "net"}.String())
	s.ready("victim", "peer")
	of := func(path string) string {
		return s.kubectl("get", "l2att", "-o", fmt.Sprintf(`jsonpath={.items[?(@.spec.podName=="victim")].%s}`, path))
	}
	port, address := of("status.portName"), s.address("victim", "net1", 4)
	bound := func() string {
		out, err := sbtry("--bare", "--columns=chassis,up", "find", "Port_Binding", `logical_port="`+port+`"`)
		if err != nil {
			s.Fatalf("port binding: %v: %s", err, out)
		}
		return out
	}
	before := bound()

	const iface = "e2eimpostor" // also its network namespace
	n := nodes(t)[1]
	t.Cleanup(func() {
		node(t, n, "sh", "-c", fmt.Sprintf("ovs-vsctl --if-exists del-port %[1]s; ip netns del %[1]s", iface))
	})
	node(t, n, "ovs-vsctl", "add-port", "br-int", iface, "--", "set", "Interface", iface, "type=internal",
		`external_ids:iface-id="`+port+`"`, "external_ids:iface-id-ver="+of("spec.podUID"))
	node(t, n, "sh", "-c", fmt.Sprintf("ip netns add %[1]s; ip link set %[1]s netns %[1]s; ip -n %[1]s link set %[1]s address %[2]s up; ip -n %[1]s addr add %[3]s/24 dev %[1]s",
		iface, of("spec.macAddress"), address))
	s.answersOnce("peer", address)
	if after := bound(); after != before {
		s.Errorf("the port was bound to %q and is to %q", before, after)
	}
	s.attached(of("metadata.name"))
	if out := node(t, n, "ovs-vsctl", "--bare", "--columns=name", "find", "Interface", "name="+iface); !strings.Contains(out, iface) {
		s.Errorf("the impostor was gone before the end: nothing was tried")
	}
}

// answersOnce expects 20 answers to 20 pings, in one of three tries as pings
// does, and no second answer to any.
func (s *scenario) answersOnce(from, to string) {
	s.Helper()
	var out string
	for range 3 {
		out, _ = s.try("exec", from, "--", "ping", "-c", "20", "-i", "0.1", "-W", "2", to)
		if strings.Contains(out, "duplicates") {
			break
		}
		if strings.Contains(out, "20 received") {
			return
		}
	}
	s.Errorf("want 20 answers to 20 pings, and each once:\n%s", out)
}
