//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// What a pod sends under another MAC or another address reaches the other
// side, or not, as the network's port security says, or the attachment's own.
func TestPortSecurity(t *testing.T) {
	s := newScenario(t)
	levels := []string{"Strict", "MAC", "Disabled"}
	for i, level := range levels {
		net := strings.ToLower(level)
		s.apply(networkSpec(net, fmt.Sprintf(`{portSecurity: %s, allowPortSecurityOverride: true, ipam: {subnets: ["10.8%d.0.0/24", "fd8%d::/64"]}}`, level, i, i)),
			pod{name: net + "-ear", node: nodes(t)[1], networks: net}.String(),
			pod{name: net, node: nodes(t)[0], networks: net, capabilities: []string{"NET_ADMIN"}}.String())
	}
	// The attachment's own, against the network's.
	for _, level := range levels {
		net := map[string]string{"Strict": "disabled", "MAC": "strict", "Disabled": "strict"}[level]
		s.apply(pod{name: "own-" + strings.ToLower(level), node: nodes(t)[0], capabilities: []string{"NET_ADMIN"},
			networks: fmt.Sprintf(`[{"name": %q, "portSecurity": %q}]`, net, level)}.String())
	}
	passes := map[string]struct{ mac, address bool }{
		"Strict":   {},
		"MAC":      {address: true},
		"Disabled": {mac: true, address: true},
	}
	for _, level := range levels {
		pass := passes[level]
		for _, sender := range []string{strings.ToLower(level), "own-" + strings.ToLower(level)} {
			s.ready(sender)
			net := s.kubectl("get", "l2att", "-o", fmt.Sprintf(`jsonpath={.items[?(@.spec.podName==%q)].spec.network.name}`, sender))
			ear := net + "-ear"
			s.ready(ear)
			t.Run(sender, func(t *testing.T) {
				s := s.within(t)
				s.spoof(sender, ear, pass.mac, pass.address)
			})
		}
	}
}

// spoof sends from the pod under its own name, under other addresses and under
// another MAC, and says what must be heard.
func (s *scenario) spoof(sender, ear string, mac, address bool) {
	s.Helper()
	const forged = "02:66:66:66:66:66"
	v4, v6 := s.address(ear, "net1", 4), s.address(ear, "net1", 6)
	net4, net6 := v4[:strings.LastIndex(v4, ".")], v6[:strings.LastIndex(v6, ":")]
	s.pings(sender, v4) // the neighbours are known from here on
	s.pings(sender, v6)
	s.exec(sender, fmt.Sprintf("ip addr add %s.200/24 dev net1; ip addr add %s:200/64 dev net1 nodad", net4, net6))
	own := s.exec(sender, "cat /sys/class/net/net1/address")
	for _, frame := range []struct {
		what, filter, send string
		passes             bool
	}{
		{"its own", "icmp[icmptype] == icmp-echo and ether src " + own, "ping -c 3 -i 0.2 -W 1 " + v4, true},
		{"another IPv4 address", "icmp and src host " + net4 + ".200", fmt.Sprintf("ping -c 3 -i 0.2 -W 1 -I %s.200 %s", net4, v4), address},
		{"another IPv6 address", "icmp6 and src host " + net6 + ":200", fmt.Sprintf("ping -c 3 -i 0.2 -W 1 -I %s:200 %s", net6, v6), address},
		{"ARP for another address", "arp and arp[14:4] == " + hex4(net4+".200"), fmt.Sprintf("arping -c 3 -w 1 -A -I net1 %s.200", net4), address},
		{"another MAC", "ether src " + forged, fmt.Sprintf("ip link set net1 address %s; ping -c 3 -i 0.2 -W 1 %s; arping -c 2 -w 1 -b -I net1 %s; ip link set net1 address %s", forged, v4, v4, own), mac},
	} {
		heard := s.hear(ear, frame.filter, func() { s.exec(sender, "("+frame.send+") > /dev/null 2>&1 || true") })
		if (heard != "") != frame.passes {
			s.Errorf("sent under %s: should it be heard? %t. It was heard: %q", frame.what, frame.passes, heard)
		}
	}
}

// hear is what a capture in a pod catches during an action.
func (s *scenario) hear(pod, filter string, action func()) string {
	s.Helper()
	s.exec(pod, fmt.Sprintf("rm -f /tmp/heard.log; tcpdump --immediate-mode -e -n -i net1 '%s' > /tmp/heard 2> /tmp/heard.log & echo $! > /tmp/heard.pid; until grep -q listening /tmp/heard.log; do sleep 0.05; done", filter))
	action()
	s.exec(pod, "sleep 0.2; kill -INT $(cat /tmp/heard.pid); until grep -q 'packets\\? captured' /tmp/heard.log; do sleep 0.05; done")
	return s.exec(pod, "cat /tmp/heard")
}

// hex4 is an IPv4 address as a capture's filter compares it.
func hex4(address string) string {
	var a, b, c, d int
	if _, err := fmt.Sscanf(address, "%d.%d.%d.%d", &a, &b, &c, &d); err != nil {
		panic(err)
	}
	return fmt.Sprintf("0x%02x%02x%02x%02x", a, b, c, d)
}

// A portSecurity of the attachment's own is refused where the network does not
// allow it.
func TestPortSecurityOverrideIsRefused(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.84.0.0/24"), pod{name: "wants-more", networks: `[{"name": "net", "portSecurity": "Disabled"}]`}.String())
	s.says("allowPortSecurityOverride", "get", "events", "--field-selector", "involvedObject.name=wants-more,reason=NotAllowed")
}
