//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestPingPongAcrossNodes(t *testing.T) { pingPong(newScenario(t), nodes(t)[0], nodes(t)[1]) }

func TestPingPongOnOneNode(t *testing.T) { pingPong(newScenario(t), nodes(t)[1], nodes(t)[1]) }

func pingPong(s *scenario, first, second string) {
	s.apply(network("net", "10.101.0.0/16", "fd10:101::/64"),
		pod{name: "ping", node: first, networks: "net"}.String(),
		pod{name: "pong", node: second, networks: "net"}.String())
	s.ready("ping", "pong")
	for _, family := range []int{4, 6} {
		s.pings("ping", s.address("pong", "net1", family))
		s.pings("pong", s.address("ping", "net1", family))
	}
	if out := s.exec("ping", "ping -c 1 "+s.address("pong", "net1", 4)); !strings.Contains(out, "ttl=64") {
		s.Errorf("something routes between the pods:\n%s", out)
	}
	if out, err := s.try("exec", "ping", "--", "ping", "-c", "1", "-W", "1", "-I", "eth0", s.address("pong", "net1", 4)); err == nil {
		s.Errorf("the network is reached through eth0:\n%s", out)
	}
	s.says("True", "get", "l2att", "-o", `jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}`)
	s.says("True", "get", "l2net", "net", "-o", `jsonpath={.status.conditions[?(@.type=="Programmed")].status}`)
	s.says("2", "get", "l2net", "net", "-o", "jsonpath={.status.attachments}")
	show := nbctl(s.T, first, "show", "l2sm/"+s.namespace+"/net")
	if strings.Count(show, "port l2sm/"+s.namespace+"/") != 2 {
		s.Errorf("ovn-nbctl show does not read like kubectl get:\n%s", show)
	}
	s.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "l2net/net")
	s.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "l2att", "--all")
	table := s.kubectl("get", "l2net,l2att", "-o", "wide")
	s.expect(table, "10.101.0.0/16, fd10:101::/64", "10.101.0.1/16, fd10:101::1/64")
	if strings.ContainsAny(table, "[]{}\"") {
		s.Errorf("the table reads like JSON")
	}
	s.Logf("kubectl get l2net,l2att -o wide:\n%s", table)
}

func TestTCPCarries50MB(t *testing.T) {
	s := newLoneScenario(t) // it fills the datapath
	s.apply(network("net", "10.50.0.0/24", "fd50::/64"),
		pod{name: "server", node: nodes(t)[0], networks: "net"}.String(),
		pod{name: "client", node: nodes(t)[1], networks: "net"}.String())
	s.ready("server", "client")
	s.exec("client", "head -c 50000000 /dev/urandom > /tmp/sent")
	sent := s.exec("client", "sha256sum < /tmp/sent")
	for _, family := range []int{4, 6} {
		to := s.address("server", "net1", family)
		s.exec("server", fmt.Sprintf("nc -%d -l -p %d > /tmp/got 2>/dev/null < /dev/null & echo listening", family, 5000+family))
		s.exec("client", fmt.Sprintf("for i in 1 2 3 4 5; do nc -N -w 60 %s %d < /tmp/sent && exit 0; sleep 0.3; done; exit 1", to, 5000+family))
		s.eventually("the file arrives whole", func() error {
			if got := s.exec("server", "sha256sum < /tmp/got"); got != sent {
				return fmt.Errorf("sent %s, got %s", sent, got)
			}
			return nil
		})
	}
	s.exec("server", "iperf3 -s -1 -D")
	out := s.exec("client", "iperf3 -f m -t 3 -c "+s.address("server", "net1", 4)+" | grep receiver")
	s.Logf("TCP between nodes, for what this machine's userspace datapath is worth: %s", out)
}

func TestBroadcastAndMulticastAreDelivered(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.60.0.0/24"),
		pod{name: "sender", node: nodes(t)[0], networks: "net"}.String(),
		pod{name: "near", node: nodes(t)[0], networks: "net"}.String(),
		pod{name: "far", node: nodes(t)[1], networks: "net"}.String())
	s.ready("sender", "near", "far")
	own := s.exec("sender", "cat /sys/class/net/net1/address")
	for kind, frame := range map[string]struct{ filter, send string }{
		"broadcast": {"ether dst ff:ff:ff:ff:ff:ff and icmp", "ping -c 1 -W 1 -b -I net1 10.60.0.255 || true"},
		"multicast": {"ether dst 01:00:5e:01:02:03 and icmp", "ping -c 1 -W 1 -I net1 239.1.2.3 || true"},
	} {
		for _, listener := range []string{"near", "far"} {
			s.hears(listener, "net1", "ether src "+own+" and "+frame.filter, kind, func() { s.exec("sender", frame.send) })
		}
	}
}

// hears captures in a pod while send runs, until the first frame.
func (s *scenario) hears(listener, iface, filter, what string, send func()) {
	s.Helper()
	s.exec(listener, fmt.Sprintf("rm -f /tmp/cap /tmp/log; timeout 30 tcpdump -U -c 1 -w /tmp/cap -i %s '%s' > /tmp/log 2>&1 & until grep -q listening /tmp/log; do sleep 0.05; done", iface, filter))
	send()
	s.eventually(listener+" hears the "+what, func() error {
		if out := s.exec(listener, "cat /tmp/log"); !strings.Contains(out, "1 packet captured") {
			return fmt.Errorf("tcpdump says: %s", out)
		}
		return nil
	})
}

func TestPodOnTwoNetworks(t *testing.T) {
	s := newScenario(t)
	s.apply(network("red", "10.71.0.0/24"), network("blue", "10.72.0.0/24"),
		pod{name: "both", node: nodes(t)[0], networks: "red, blue"}.String(),
		pod{name: "red", node: nodes(t)[1], networks: "red"}.String(),
		pod{name: "blue", node: nodes(t)[2], networks: "blue"}.String())
	s.ready("both", "red", "blue")
	s.pings("both", s.address("red", "net1", 4))
	s.pings("both", s.address("blue", "net1", 4))
	s.pings("red", s.address("both", "net1", 4))
	s.pings("blue", s.address("both", "net2", 4))
}

func TestStaticAddresses(t *testing.T) {
	s := newScenario(t)
	s.apply(network("ipam", "10.81.0.0/24", "fd81::/64"), network("pure"),
		pod{name: "a", node: nodes(t)[0], networks: `[{"name": "ipam", "ips": ["10.81.0.77", "fd81::77"], "mac": "02:00:00:00:00:77"}, {"name": "pure", "ips": ["10.0.0.1/24"]}]`}.String(),
		pod{name: "b", node: nodes(t)[1], networks: `[{"name": "ipam"}, {"name": "pure", "ips": ["10.0.0.2/24"]}]`}.String())
	s.ready("a", "b")
	s.pings("b", "10.81.0.77")
	s.pings("b", "fd81::77")
	s.pings("a", "10.0.0.2")
	if got := s.exec("a", "cat /sys/class/net/net1/address"); got != "02:00:00:00:00:77" {
		s.Errorf("the MAC asked for is 02:00:00:00:00:77, the interface has %s", got)
	}
}

func TestPureLayer2(t *testing.T) {
	s := newScenario(t)
	admin := []string{"NET_ADMIN"}
	s.apply(network("net"),
		pod{name: "ping", node: nodes(t)[0], networks: "net", capabilities: admin}.String(),
		pod{name: "pong", node: nodes(t)[1], networks: "net", capabilities: admin}.String())
	s.ready("ping", "pong")
	s.exec("ping", "ip addr add 192.168.12.1/30 dev net1")
	s.exec("pong", "ip addr add 192.168.12.2/30 dev net1")
	s.pings("ping", "192.168.12.2")
	if out := s.exec("ping", "traceroute -n -m 3 192.168.12.2 | tail -n +2 | wc -l"); out != "1" {
		s.Errorf("want one hop, got %s", out)
	}
}

func TestServiceAndDNSOverEth0(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.92.0.0/24"), pod{name: "client", networks: "net"}.String())
	s.ready("client")
	if out := s.exec("client", "dig +short +timeout=5 kubernetes.default.svc.cluster.local"); out == "" {
		s.Error("the cluster's DNS does not answer an attached pod")
	}
	if out := s.exec("client", "curl -sk -o /dev/null -w '%{http_code}' --max-time 10 https://kubernetes.default.svc.cluster.local/healthz"); out != "200" && out != "401" && out != "403" {
		s.Errorf("a Service does not answer an attached pod: %s", out)
	}
	if out := s.exec("client", "ip route show default"); !strings.Contains(out, "dev eth0") {
		s.Errorf("the default route left eth0: %s", out)
	}
}

func TestFullMTU(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.93.0.0/24", "fd93::/64"), networkSpec("small", `{mtu: 1400, ipam: {subnets: ["10.94.0.0/24"]}}`),
		pod{name: "a", node: nodes(t)[0], networks: "net,small"}.String(),
		pod{name: "b", node: nodes(t)[1], networks: "net,small"}.String())
	s.ready("a", "b")
	var mtu int
	if _, err := fmt.Sscan(s.exec("a", "cat /sys/class/net/net1/mtu"), &mtu); err != nil {
		t.Fatal(err)
	}
	if got := s.kubectl("get", "l2net", "net", "-o", "jsonpath={.status.mtu}"); got != fmt.Sprint(mtu) {
		s.Errorf("the interface's MTU is %d, the network's status says %s", mtu, got)
	}
	if got := s.exec("a", "cat /sys/class/net/net2/mtu"); got != "1400" {
		s.Errorf("a network with mtu 1400 gave an interface with %s", got)
	}
	v4, v6 := s.address("b", "net1", 4), s.address("b", "net1", 6)
	for _, size := range []int{1400 - 28, mtu - 28} { // IPv4 and ICMP headers
		s.pings("a", v4, "-M do", fmt.Sprint("-s ", size))
	}
	s.pings("a", v6, "-M do", fmt.Sprint("-s ", mtu-48))
	if out, err := s.try("exec", "a", "--", "ping", "-c", "1", "-M", "do", "-s", fmt.Sprint(mtu-27), v4); err == nil {
		s.Errorf("a byte more than the MTU passed unfragmented:\n%s", out)
	}
}
