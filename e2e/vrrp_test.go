//go:build e2e || conformance

package e2e

import (
	"fmt"
	"testing"
)

// A virtual router's address goes to and fro between two pods, on an interface
// without port security with the MAC address of VRRP, on one with MAC with its
// holder's. Audit finds nothing wrong with either.
func TestVirtualRouter(t *testing.T) {
	s := newScenario(t)
	admin := []string{"NET_ADMIN"}
	ask := `[{"name": "mac", "portSecurity": "MAC"}, {"name": "open"}]`
	s.apply(networkSpec("mac", `{ipam: {subnets: ["10.142.0.0/24"], excluded: ["10.142.0.100"]}, allowPortSecurityOverride: true}`),
		networkSpec("open", `{ipam: {subnets: ["10.143.0.0/24"], excluded: ["10.143.0.100"]}, portSecurity: Disabled}`),
		pod{name: "r1", node: nodes(t)[0], networks: ask, capabilities: admin}.String(),
		pod{name: "r2", node: nodes(t)[1], networks: ask, capabilities: admin}.String(),
		pod{name: "near", node: nodes(t)[0], networks: "mac, open"}.String(),
		pod{name: "far", node: nodes(t)[2], networks: "mac, open"}.String())
	s.ready("r1", "r2", "near", "far")
	const virtual = "00:00:5e:00:01:0a"
	own := map[string]string{}
	for _, router := range []string{"r1", "r2"} {
		own[router] = s.exec(router, "cat /sys/class/net/net2/address")
	}
	lead := func(router string) {
		s.exec(router, fmt.Sprintf(`ip addr add 10.142.0.100/32 dev net1; ip link set net2 address %s; ip addr add 10.143.0.100/24 dev net2
			arping -q -c 2 -w 1 -A -I net1 10.142.0.100; arping -q -c 2 -w 1 -A -I net2 10.143.0.100; true`, virtual))
	}
	resign := func(router string) {
		s.exec(router, "ip addr del 10.142.0.100/32 dev net1; ip addr del 10.143.0.100/24 dev net2; ip link set net2 address "+own[router])
	}
	lead("r1")
	for _, next := range []string{"", "r2", "r1"} {
		if next != "" {
			resign(map[string]string{"r1": "r2", "r2": "r1"}[next])
			lead(next)
		}
		for _, client := range []string{"near", "far"} {
			s.reaches(client, "10.142.0.100")
			s.reaches(client, "10.143.0.100")
			s.expect(s.exec(client, "ip neighbour show 10.143.0.100"), virtual)
		}
	}
	s.auditNamesNothing("a virtual router is at work")
}

// auditNamesNothing says that the audit has nothing to say of the scenario,
// whatever it says of others that run beside it.
func (s *scenario) auditNamesNothing(reason string) {
	s.Helper()
	out, code := audit(s.T, "5s")
	if err := mentions(out, s.namespace+"/"); err != nil || code == 2 {
		s.Errorf("%s: audit ended with %d: %v\n%s", reason, code, err, out)
	}
}
