//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// Two networks with one subnet and one pair of addresses each: a capture in
// either hears nothing of the other, and each ping is answered by its own.
// MACs are given, since the assigned ones, made of the addresses, would be
// equal too and tell nothing.
func TestEqualNetworksAreIsolated(t *testing.T) {
	s := newScenario(t)
	s.apply(network("red", "10.20.0.0/24", "fd20::/64"), network("blue", "10.20.0.0/24", "fd20::/64"))
	mac := map[string]string{"red1": "02:ed:00:00:00:01", "red2": "02:ed:00:00:00:02", "blue1": "02:b0:00:00:00:01", "blue2": "02:b0:00:00:00:02"}
	for _, colour := range []string{"red", "blue"} {
		for i := range 2 {
			name := fmt.Sprint(colour, i+1)
			ask := fmt.Sprintf(`[{"name": %q, "mac": %q, "ips": ["10.20.0.%d", "fd20::%d"]}]`, colour, mac[name], i+1, i+1)
			s.apply(pod{name: name, node: nodes(t)[i], networks: ask}.String())
		}
	}
	s.ready("red1", "red2", "blue1", "blue2")

	foreign := fmt.Sprintf("not (ether src %s or ether src %s)", mac["blue1"], mac["blue2"])
	for _, ear := range []string{"blue1", "blue2"} {
		s.exec(ear, fmt.Sprintf("tcpdump --immediate-mode -U -w /tmp/cap -i net1 '%s' > /tmp/log 2>&1 & echo $! > /tmp/pid; until grep -q listening /tmp/log; do sleep 0.05; done", foreign))
	}
	for _, to := range []string{"10.20.0.2", "fd20::2", "10.20.0.99", "ff02::1%net1"} { // with answers, ARP for nobody, multicast
		s.exec("red1", "ping -c 5 -i 0.2 -W 1 "+to+" || true")
	}
	s.exec("red1", "ping -c 3 -i 0.2 -W 1 -b -I net1 10.20.0.255 || true")
	s.pings("red1", "10.20.0.2")
	s.pings("blue1", "10.20.0.2")
	for _, ear := range []string{"blue1", "blue2"} {
		s.exec(ear, "kill -INT $(cat /tmp/pid); until grep -q 'packets\\? captured' /tmp/log; do sleep 0.05; done")
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
