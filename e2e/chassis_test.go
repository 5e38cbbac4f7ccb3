//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// An interface that claims another pod's port is not given it, be it on another
// node or on the pod's own: all of the pod's traffic goes to the pod, and what
// the impostor would answer is answered once.
func TestImpostorIsNotGivenThePort(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.201.0.0/24"),
		pod{name: "victim", node: nodes(t)[0], networks: "net"}.String(),
		pod{name: "peer", node: nodes(t)[2], networks: "net"}.String())
	s.ready("victim", "peer")
	of := func(path string) string {
		return s.kubectl("get", "l2att", "-o", fmt.Sprintf(`jsonpath={.items[?(@.spec.podName=="victim")].%s}`, path))
	}
	port, mac, address := of("status.portName"), of("spec.macAddress"), s.address("victim", "net1", 4)
	// Of another life of the pod on its node, of this very life on another.
	lives := []string{"00000000-0000-4000-8000-000000000000", of("spec.podUID")}
	chassis := func() string {
		bound, err := sbtry("--bare", "--columns=chassis,up", "find", "Port_Binding", `logical_port="`+port+`"`)
		if err != nil {
			s.Fatalf("port binding: %v: %s", err, bound)
		}
		return bound
	}
	before := chassis()
	for i, life := range lives {
		n := nodes(t)[i]
		const netns = "e2e-impostor"
		iface := fmt.Sprintf("e2eimp%d", i)
		node(t, n, "ovs-vsctl", "add-port", "br-int", iface, "--", "set", "Interface", iface, "type=internal", `external_ids:iface-id="`+port+`"`, "external_ids:iface-id-ver="+life)
		t.Cleanup(func() {
			node(t, n, "ovs-vsctl", "--if-exists", "del-port", iface)
			node(t, n, "ip", "netns", "del", netns)
		})
		node(t, n, "sh", "-c", fmt.Sprintf("ip netns add %[1]s; ip link set %[2]s netns %[1]s; ip netns exec %[1]s sh -c 'ip link set %[2]s address %[3]s up; ip addr add %[4]s/24 dev %[2]s'", netns, iface, mac, address))
	}
	s.answersOnce("peer", address)
	if after := chassis(); after != before {
		s.Errorf("the port was bound to %q and is to %q", before, after)
	}
	s.attached(of("metadata.name"))
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
