//go:build e2e || conformance

package e2e

import (
	"fmt"
	"testing"
)

const accepted = `jsonpath={.status.conditions[?(@.type=="Accepted")].status}:{.status.conditions[?(@.type=="Accepted")].reason}:{.status.conditions[?(@.type=="Accepted")].message}`

// A running pod's attachment moves to another network and back: same
// interface, MAC and address, no restart; who answers is another.
func TestMove(t *testing.T) {
	s := newScenario(t)
	s.apply(network("production", "10.20.0.0/24", "fd20::/64"),
		networkSpec("quarantine", `{mtu: 1400, ipam: {subnets: ["10.20.0.0/24", "fd20::/64"]}}`),
		pod{name: "server", node: nodes(t)[1], networks: `[{"name": "production", "ips": ["10.20.0.10", "fd20::10"], "mac": "02:00:00:00:00:01"}]`}.String(),
		pod{name: "honeypot", node: lastNode(t), networks: `[{"name": "quarantine", "ips": ["10.20.0.10", "fd20::10"], "mac": "02:00:00:00:00:02"}]`}.String(),
		pod{name: "mover", node: nodes(t)[0], networks: static("production", "10.20.0.5", "fd20::5")}.String())
	s.ready("server", "honeypot", "mover")
	mine := s.kubectl("get", "l2att", "-o", `jsonpath={.items[?(@.spec.podName=="mover")].metadata.name}`)
	identity := func() string {
		return s.exec("mover", "cat /sys/class/net/net1/ifindex /sys/class/net/net1/address; ip -o addr show dev net1 scope global | awk '{print $4}'") + s.container("mover")
	}
	before, mtu := identity(), s.exec("mover", "cat /sys/class/net/net1/mtu")
	for _, move := range []struct{ network, answers, mtu string }{
		{"quarantine", "02:00:00:00:00:02", "1400"},
		{"production", "02:00:00:00:00:01", mtu},
		{"quarantine", "02:00:00:00:00:02", "1400"},
	} {
		s.move(mine, move.network)
		s.says(move.network, "get", "l2att", mine, "-o", "jsonpath={.status.network.name}")
		s.attached(mine)
		for _, to := range []string{"10.20.0.10", "fd20::10"} {
			s.reaches("mover", to)
			s.expect(s.exec("mover", "ip neighbour show "+to), move.answers)
		}
		s.eventually("the MTU of "+move.network, func() error {
			return differs(move.mtu, s.exec("mover", "cat /sys/class/net/net1/mtu"))
		})
		if after := identity(); after != before {
			s.Errorf("after the move to %s:\n%s\nbefore:\n%s", move.network, after, before)
		}
		s.says(s.namespace+"/"+move.network, "get", "pod", "mover", "-o", `jsonpath={.metadata.annotations.k8s\.v1\.cni\.cncf\.io/network-status}`)
	}
}

func (s *scenario) move(attachment, network string) {
	s.Helper()
	s.kubectl("patch", "l2att", attachment, "--type=merge", "-p", fmt.Sprintf(`{"spec": {"network": {"name": %q}}}`, network))
}

// A move to where the address is taken, or not valid, is refused, with the
// reason; the port stays, and moves when the reason passes.
func TestMoveIsRefused(t *testing.T) {
	s := newScenario(t)
	s.apply(network("home", "10.21.0.0/24"), network("full", "10.21.0.0/24"), network("foreign", "10.22.0.0/24"),
		pod{name: "peer", node: nodes(t)[1], networks: static("home", "10.21.0.10")}.String(),
		pod{name: "squatter", node: nodes(t)[1], networks: static("full", "10.21.0.5")}.String(),
		pod{name: "live", node: nodes(t)[0]}.String(),
		attachment("mine", "live", "home", ", addresses: ['10.21.0.5/24'], interface: net1"))
	s.ready("peer", "squatter", "live")
	s.attached("mine")
	s.pings("live", "10.21.0.10")
	for network, says := range map[string]string{
		"foreign": "False:AddressOutOfRange:",
		"absent":  "False:NetworkNotFound:",
		"full":    "False:AddressTaken:",
	} {
		s.move("mine", network)
		s.says(says, "get", "l2att", "mine", "-o", accepted)
		s.says(`stays on L2Network "`+s.namespace+`/home"`, "get", "l2att", "mine", "-o", accepted)
		if on := s.kubectl("get", "l2att", "mine", "-o", "jsonpath={.status.network.name}"); on != "home" {
			s.Errorf("a move to %s that is refused left the port on %s", network, on)
		}
		s.pings("live", "10.21.0.10")
		s.move("mine", "home")
		s.says("True:", "get", "l2att", "mine", "-o", accepted)
	}
	s.move("mine", "full")
	s.says("squatter-net1-", "get", "l2att", "mine", "-o", accepted)
	s.kubectl("delete", "pod", "squatter")
	s.says("full", "get", "l2att", "mine", "-o", "jsonpath={.status.network.name}")
	s.says("True:", "get", "l2att", "mine", "-o", accepted)
}
