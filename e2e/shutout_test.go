//go:build e2e || conformance

package e2e

import (
	"fmt"
	"testing"
)

// A namespace that a network lets in no more loses its interfaces there, and
// has them again when it is let in.
func TestShutOutLater(t *testing.T) {
	s := newScenario(t)
	guests := &scenario{T: t, namespace: s.namespace + "-guests"}
	if out, err := createNamespace(guests.namespace); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(guests.end)
	spec := func(allowed string) string {
		return networkSpec("net", fmt.Sprintf(`{allowedNamespaces: %s, ipam: {subnets: ["10.177.0.0/24"]}}`, allowed))
	}
	s.apply(spec("{from: All}"), pod{name: "own", node: nodes(t)[0], networks: "net"}.String())
	guests.apply(pod{name: "asks", node: nodes(t)[1], networks: s.namespace + "/net"}.String(),
		pod{name: "hot", node: nodes(t)[1]}.String(),
		fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: L2Attachment\nmetadata: {name: hot}\nspec: {podName: hot, network: {name: net, namespace: %s}}", s.namespace))
	s.ready("own")
	guests.ready("asks", "hot")
	guests.attached("hot")
	s.pings("own", guests.address("asks", "net1", 4))
	s.pings("own", guests.address("hot", "net1", 4))

	const team = `{from: Selector, selector: {matchLabels: {team: x}}}`
	for _, round := range []struct {
		reason  string
		out, in func()
	}{
		{"narrowed by the spec", func() { s.apply(spec("{from: Same}")) }, func() { s.apply(spec("{from: All}")) }},
		{"narrowed by the namespace's labels", func() {
			s.kubectl("label", "namespace", guests.namespace, "team=x")
			s.apply(spec(team))
			s.kubectl("label", "namespace", guests.namespace, "team-")
		}, func() { s.kubectl("label", "namespace", guests.namespace, "team=x") }},
	} {
		round.out()
		for _, pod := range []string{"asks", "hot"} {
			guests.says("False NotAllowed", "get", "l2att", "-o", fmt.Sprintf(`jsonpath={.items[?(@.spec.podName==%q)].status.conditions[?(@.type=="Accepted")]['status','reason']}`, pod))
			guests.links(pod)
			guests.networkStatus(pod)
			guests.says("allowedNamespaces", "get", "events", "--field-selector", "involvedObject.name="+pod+",reason=NotAllowed")
		}
		s.says("1", "get", "l2net", "net", "-o", "jsonpath={.status.attachments}")
		guests.auditNamesNothing(round.reason)

		round.in()
		for _, pod := range []string{"asks", "hot"} {
			guests.links(pod, "net1")
			guests.networkStatus(pod, "net1")
			s.reaches("own", guests.address(pod, "net1", 4))
		}
	}
	guests.auditNamesNothing("all are let in again")
	guests.kubectl("delete", "pods", "--all")
}
