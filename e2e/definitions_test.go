//go:build e2e || conformance

package e2e

// Needs Multus.

import (
	"fmt"
	"testing"
)

// foreignDefinition is a NetworkAttachmentDefinition of somebody else's.
func foreignDefinition(name, subnet string) string {
	return fmt.Sprintf(`{"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": {"name": %[1]q}, "spec": {"config":
	"{\"cniVersion\":\"1.0.0\",\"name\":\"%[1]s\",\"type\":\"ptp\",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"%[2]s\"}}"}}`, name, subnet)
}

// networkStatusHas waits until the text is in what a pod is told.
func (s *scenario) networkStatusHas(pod, text string) {
	s.Helper()
	s.says(text, "get", "pod", pod, "-o", `jsonpath={.metadata.annotations.k8s\.v1\.cni\.cncf\.io/network-status}`)
}

// A definition of somebody else's that has a network's name is left alone, and
// so is what pods are told of it. When it goes, nothing is made for the pods
// that used it.
func TestForeignDefinition(t *testing.T) {
	s := newScenario(t)
	s.apply(foreignDefinition("mine", "10.171.0.0/24"))
	s.apply(network("mine", "10.172.0.0/24"), network("other", "10.173.0.0/24"))
	s.says("left alone", "get", "events", "--field-selector", "involvedObject.name=mine,reason=DefinitionTaken")
	s.apply(pod{name: "theirs", node: nodes(t)[0], multus: "mine"}.String(),
		pod{name: "both", node: nodes(t)[0], multus: "mine", networks: "mine, other"}.String(),
		pod{name: "ours", node: nodes(t)[1], networks: "mine"}.String())
	s.ready("theirs", "both", "ours")
	s.pings("both", s.address("ours", "net1", 4))
	for _, pod := range []string{"theirs", "both"} {
		s.networkStatusHas(pod, `"10.171.0.`)
	}
	s.networkStatusHas("both", `"10.172.0.`)
	s.networkStatusHas("both", `"10.173.0.`)
	attachments := func() string { return s.kubectl("get", "l2att", "-o", "name") }
	before := attachments()

	s.kubectl("delete", "net-attach-def", "mine")
	s.says(`"type":"l2sm"`, "get", "net-attach-def", "mine", "-o", "jsonpath={.spec.config}")
	s.says("another CNI plugin", "get", "events", "--field-selector", "involvedObject.name=theirs")
	if after := attachments(); after != before {
		s.Errorf("attachments were\n%s\nand are\n%s", before, after)
	}
	s.networkStatusHas("theirs", `"10.171.0.`)
	s.auditNamesNothing("a foreign definition has gone")
}

// A definition of ours that is deleted or edited by hand comes back, and the
// pods that use it keep their interfaces.
func TestDefinitionComesBack(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.170.0.0/24"))
	s.says("net", "get", "net-attach-def", "-o", "name")
	s.apply(pod{name: "a", node: nodes(t)[0], multus: "net"}.String())
	s.ready("a")
	before := s.exec("a", "ip -o addr show dev net1")
	s.kubectl("delete", "net-attach-def", "net")
	s.says("net", "get", "net-attach-def", "-o", "name")
	s.kubectl("patch", "net-attach-def", "net", "--type=merge", "-p", `{"spec": {"config": "{}"}}`)
	s.says(`"type":"l2sm"`, "get", "net-attach-def", "net", "-o", "jsonpath={.spec.config}")
	s.apply(pod{name: "b", node: nodes(t)[1], multus: "net"}.String())
	s.ready("b")
	s.pings("b", s.address("a", "net1", 4))
	if now := s.exec("a", "ip -o addr show dev net1"); now != before {
		s.Errorf("the interface was\n%s\nand is\n%s", before, now)
	}
}
