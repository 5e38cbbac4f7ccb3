//go:build e2e

package e2e

// Lab only: it reads the packet filter of nodes; L2Nodes are looked at before any scenario.

import (
	"fmt"
	"strings"
	"testing"
)

// kubectl get l2node reads like kubectl get node.
func TestL2Nodes(t *testing.T) {
	s := newScenario(t)
	for _, n := range nodes(t) {
		s.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "l2node/"+n)
	}
	table := strings.Split(s.kubectl("get", "l2node"), "\n")
	if head := strings.Join(strings.Fields(table[0]), " "); head != "NAME READY REASON TUNNEL IP DATAPATH MTU OVS AGE" {
		s.Errorf("the columns are %q", head)
	}
	for _, row := range table[1:] {
		// NAME True Ready 10.0.0.1 netdev 1600 3.1.0 5m
		if cells := strings.Fields(row); len(cells) != 8 || cells[1] != "True" || cells[2] != "Ready" {
			s.Errorf("a row is %q", row)
		}
	}
}

// A pod that is on no network sends packets to the tunnels' port of another node,
// and of its own: the nodes drop them, and let others pass.
func TestPodsCantSendTunnelPackets(t *testing.T) {
	s := newScenario(t)
	s.apply(pod{name: "sender", node: nodes(t)[0]}.String())
	s.ready("sender")
	for _, n := range nodes(t)[:2] {
		address := s.kubectl("get", "node", n, "-o", `jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`)
		before := dropped(t, nodes(t)[0])
		s.exec("sender", fmt.Sprintf("bash -c 'for i in 1 2 3; do echo geneve > /dev/udp/%s/6081; done'", address))
		s.eventually("the sender's node drops them", func() error {
			if after := dropped(t, nodes(t)[0]); after < before+3 {
				return fmt.Errorf("it has dropped %d packets, and %d before", after, before)
			}
			return nil
		})
	}
}

// dropped is how many packets the node's table has dropped.
func dropped(t *testing.T, n string) int {
	t.Helper()
	all := 0
	for line := range strings.Lines(node(t, n, "nft", "list", "table", "inet", "l2sm-underlay")) {
		var packets int
		if _, counter, has := strings.Cut(line, "counter packets "); has {
			if _, err := fmt.Sscan(counter, &packets); err != nil {
				t.Fatal(err)
			}
			all += packets
		}
	}
	return all
}
