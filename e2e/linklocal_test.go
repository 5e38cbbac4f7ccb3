//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A pod's first instruction can bind to the link-local address of its interface,
// as to the assigned ones: routing daemons and DHCPv6 clients do that and give
// up if it fails.
func TestLinkLocalAddressAtTheFirstInstruction(t *testing.T) {
	s := newScenario(t)
	s.apply(network("six", "fd38:b::/64"), network("pure"),
		pod{name: "peer", node: nodes(t)[1], networks: "six, pure"}.String())
	s.ready("peer")
	networks := []string{"six", "pure"}
	for i, net := range networks {
		peer := s.exec("peer", fmt.Sprintf("ip -6 -o addr show dev net%d scope link | awk '{print $4}' | cut -d/ -f1", i+1))
		bind := `a=$(ip -6 -o addr show dev net1 scope link | awk '{print $4}' | cut -d/ -f1); ping -6 -c 3 -i 0.2 -W 3 -I "$a%net1" ` + peer + `%net1 2>&1; ip -6 addr show dev net1`
		s.apply(pod{name: net, node: nodes(t)[0], networks: net, command: []string{"sh", "-c", bind}}.String())
	}
	for _, net := range networks {
		s.says("Succeeded", "get", "pod", net, "-o", "jsonpath={.status.phase}")
		if out := s.kubectl("logs", net); !strings.Contains(out, " 0% packet loss") {
			s.Errorf("network %s: the link-local address was not there at once:\n%s", net, out)
		}
	}
}
