package lab

import (
	"fmt"
	"strings"

	"l2sm.io/l2sm/e2e/lab/netns"
)

// buildNetwork makes the network namespaces and the links between them:
//
//	        control plane         node n1            node n2
//	            eth0            eth0   eth1        eth0   eth1
//	fabric:      |               |      |           |      |
//	  main ------+---------------+------|-----------+      |    nodes, API, pods by routes; MTU 1500
//	  tunnels --------------------------+------------------+    Geneve between nodes; MTU 1600
func buildNetwork(p plan) error {
	fab, cp := p.namespace(fabric), p.namespace(controlPlane)
	if err := netns.Create(fab, cp); err != nil {
		return err
	}
	if err := netns.IP(fab, fabricScript(cp)); err != nil {
		return err
	}
	if err := netns.IP(cp, controlPlaneScript(p)); err != nil {
		return err
	}
	for _, n := range p.Nodes {
		if err := plugNode(p, n); err != nil {
			return err
		}
	}
	return nil
}

// plugNode makes the node's network namespace and plugs its two interfaces into the fabric.
func plugNode(p plan, n nodePlan) error {
	if err := netns.Create(n.Namespace); err != nil {
		return err
	}
	if err := netns.IP(p.namespace(fabric), plugScript(n)); err != nil {
		return err
	}
	return netns.IP(n.Namespace, nodeScript(p, n))
}

func fabricScript(cp string) string {
	var s script
	s.line("link add main type bridge")
	s.line("link set main up")
	s.line("link add tunnels type bridge")
	s.line("link set tunnels mtu %d up", tunnelMTU)
	s.line("link add cp up master main type veth peer name eth0 netns %s", cp)
	return s.String()
}

// controlPlaneScript gives the control plane its address, and routes to pods: the API server reaches Services by their
// endpoints, which spares it a kube-proxy.
func controlPlaneScript(p plan) string {
	var s script
	s.line("link set lo up")
	s.line("link set eth0 up")
	s.line("addr add %s/24 dev eth0", apiIP)
	for _, n := range p.Nodes {
		s.line("route add %s via %s", n.PodCIDR, n.IP)
	}
	return s.String()
}

// plugScript plugs a node into the fabric. The MAC addresses are fixed, so that a node that was stopped comes back as the
// same one to its neighbours.
func plugScript(n nodePlan) string {
	var s script
	s.line("link add %s-eth0 mtu %d up master main type veth peer name eth0 address %s mtu %d netns %s",
		n.Name, mainMTU, n.MAC, mainMTU, n.Namespace)
	s.line("link add %s-eth1 mtu %d up master tunnels type veth peer name eth1 address %s mtu %d netns %s",
		n.Name, tunnelMTU, n.TunnelMAC, tunnelMTU, n.Namespace)
	return s.String()
}

func unplugScript(n nodePlan) string {
	var s script
	s.line("link del %s-eth0", n.Name)
	s.line("link del %s-eth1", n.Name)
	return s.String()
}

func nodeScript(p plan, n nodePlan) string {
	var s script
	s.line("link set lo up")
	s.line("link set eth0 up")
	s.line("link set eth1 up")
	s.line("addr add %s/24 dev eth0", n.IP)
	s.line("addr add %s/24 dev eth1", n.TunnelIP)
	s.line("route add default via %s", apiIP)
	for _, other := range p.Nodes {
		if other.Name != n.Name {
			s.line("route add %s via %s", other.PodCIDR, other.IP)
		}
	}
	return s.String()
}

// script collects lines for `ip -batch`.
type script struct{ strings.Builder }

func (s *script) line(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }
