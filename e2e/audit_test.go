//go:build e2e

package e2e

// Lab only: it spoils databases and nodes, to see whether the audit finds it.

import (
	"fmt"
	"strings"
	"testing"
)

func (s *scenario) auditIsClean(reason string) {
	s.Helper()
	if out, code := audit(s.T, "30s"); code != 0 || !strings.Contains(out, "no discrepancies") {
		s.Fatalf("%s: audit ended with %d:\n%s", reason, code, out)
	}
}

// What nobody repairs, because nothing tells of it, audit finds. It looks at
// everything in the cluster, so it runs beside no other scenario.
func TestAudit(t *testing.T) {
	s := newLoneScenario(t)
	n := nodes(t)[0]
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.61.0.0/24", "fd61::/64"], dhcp: true}}`), network("bare"),
		pod{name: "a", node: n, networks: "net,bare"}.String(),
		pod{name: "b", node: nodes(t)[1], networks: "net"}.String())
	s.ready("a", "b")
	s.auditIsClean("pods are ready")

	address := s.address("a", "net1", 4)
	port := fmt.Sprintf("external_ids:l2sm.io/pod=a external_ids:l2sm.io/pod-namespace=%s external_ids:l2sm.io/interface=net1", s.namespace)
	netns := strings.Trim(node(t, n, "sh", "-c", "ovs-vsctl get Interface $(ovs-vsctl --bare --columns=name find Interface "+port+`) 'external_ids:"l2sm.io/netns"'`), "\"\n")
	stray := "l2sm/" + s.namespace + "/stray"
	const link = "l2pabcdefghijkl"

	cases := []struct {
		name, reason string
		spoil, mend  func()
		where        string
	}{
		{
			name: "Northbound", reason: "a port of ours on somebody's switch",
			spoil: func() {
				nbctl(t, n, "ls-add", "theirs", "--", "lsp-add", "theirs", stray,
					"--", "set", "Logical_Switch_Port", stray, fmt.Sprintf("external_ids:\"l2sm.io/network\"=%q", s.namespace+"/gone"))
			},
			mend:  func() { nbctl(t, n, "ls-del", "theirs") },
			where: "northbound port " + stray + ": belongs to no L2Attachment",
		},
		{
			name: "Address", reason: "an address taken from a pod's interface",
			spoil: func() { node(t, n, "nsenter", "--net="+netns, "ip", "addr", "del", address+"/24", "dev", "net1") },
			mend:  func() { node(t, n, "nsenter", "--net="+netns, "ip", "addr", "add", address+"/24", "dev", "net1") },
			where: fmt.Sprintf("interface net1 in pod %s/a: lacks address %s/24", s.namespace, address),
		},
		{
			name: "Link", reason: "a host end that an agent died over",
			spoil: func() { node(t, n, "ip", "link", "add", link, "type", "veth", "peer", "name", "l2sm-e2e") },
			mend:  func() { node(t, n, "ip", "link", "del", link) },
			where: "node " + n + ", link " + link + ": belongs to no port",
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.spoil()
			out, code := audit(t, "2s")
			tc.mend()
			if code != 1 || !strings.Contains(out, tc.where) {
				t.Errorf("%s: audit ended with %d, want 1 and %q:\n%s", tc.reason, code, tc.where, out)
			}
			s.auditIsClean("it is mended")
		})
	}
}
