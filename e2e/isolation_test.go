//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// Two networks with one subnet and one pair of addresses each: a capture in
// either hears nothing of the other, and each ping is answered by its own.
func TestEqualNetworksAreIsolated(t *testing.T) {
	s := newScenario(t)
	s.apply(network("red", "10.20.0.0/24", "fd20::/64"), network("blue", "10.20.0.0/24", "fd20::/64"))
	for _, colour := range []string{"red", "blue"} {
		s.apply(pod{name: colour + "1", node: nodes(t)[0], networks: static(colour, "10.20.0.1", "fd20::1")}.String(),
			pod{name: colour + "2", node: nodes(t)[1], networks: static(colour, "10.20.0.2", "fd20::2")}.String())
	}
	s.ready("red1", "red2", "blue1", "blue2")

	ours := s.exec("blue1", "cat /sys/class/net/net1/address") + " or " + s.exec("blue2", "cat /sys/class/net/net1/address")
	filter := "not ether src (" + ours + ")"
	for _, ear := range []string{"blue1", "blue2"} {
		s.exec(ear, fmt.Sprintf("timeout -s INT 20 tcpdump -U -w /tmp/cap -i net1 '%s' > /tmp/log 2>&1 & echo $! > /tmp/pid; until grep -q listening /tmp/log; do sleep 0.05; done", filter))
	}
	before := s.exec("blue2", "cat /sys/class/net/net1/statistics/rx_packets")
	for _, to := range []string{"10.20.0.2", "fd20::2", "10.20.0.99", "ff02::1%net1"} { // with answers, ARP for nobody, multicast
		s.exec("red1", "ping -c 5 -i 0.2 -W 1 "+to+" || true")
	}
	s.exec("red1", "ping -c 3 -i 0.2 -W 1 -b -I net1 10.20.0.255 || true")
	if after := s.exec("blue2", "cat /sys/class/net/net1/statistics/rx_packets"); after != before {
		s.Errorf("blue2 received %s frames before and %s after red1 spoke", before, after)
	}
	s.pings("blue1", "10.20.0.2")
	for _, ear := range []string{"blue1", "blue2"} {
		s.exec(ear, "kill -INT $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.05; done")
		if out := s.exec(ear, "cat /tmp/log"); !strings.Contains(out, "0 packets captured") {
			s.Errorf("%s heard foreign frames:\n%s\n%s", ear, out, s.exec(ear, "tcpdump -enr /tmp/cap 2>/dev/null"))
		}
	}
}

// Strict port security, the default with ipam: what a pod sends under another
// address reaches nobody, nor does the node itself answer in the network.
func TestNodesDoNotSpeakIntoNetworks(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net"), pod{name: "pod", networks: "net", node: nodes(t)[0], capabilities: []string{"NET_ADMIN"}}.String())
	s.ready("pod")
	internal := s.kubectl("get", "node", nodes(t)[0], "-o", `jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`)
	s.exec("pod", "ip addr add "+internal[:strings.LastIndex(internal, ".")]+".250/24 dev net1")
	if out, err := s.try("exec", "pod", "--", "arping", "-c", "2", "-w", "3", "-I", "net1", internal); err == nil {
		s.Errorf("the node answers ARP for its own address inside the network:\n%s", out)
	}
	if out := s.exec("pod", "ping -c 2 -W 1 ff02::1%net1 | grep -v \"$(ip -6 -o addr show dev net1 | awk '{print $4}' | cut -d/ -f1)\" | grep 'bytes from' || true"); out != "" {
		s.Errorf("somebody answers in an empty network:\n%s", out)
	}
}
