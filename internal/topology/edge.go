package topology

import (
	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// gateway is the type of the edge's port: ovn-controller of one chassis ties it to
// another bridge of that node (ovn-nb(5), Logical_Switch_Port type).
const gateway = "l2gateway"

// Edge is the port by which a network goes on in other clusters, and whether it does, as
// its status says. OVN learns no MAC address from a port of this type, however many come.
// What no port is known to have goes there, too: addresses of other sides.
func Edge(network *v1alpha1.L2Network) (ovn.Port, bool) {
	if !network.Status.Stretch.Goes() {
		return ovn.Port{}, false
	}
	return ovn.Port{
		Name:      v1alpha1.PortOf(v1alpha1.EdgeOf(network.Key())),
		Owner:     string(network.UID),
		Type:      gateway,
		TunnelKey: int(network.Status.Stretch.TunnelKey),
		Addresses: []string{unknown},
		Permit:    permitted(network),
		Options:   map[string]string{"network_name": v1alpha1.EdgeNetworkName, "l2gateway-chassis": network.Status.Stretch.Chassis},
	}, true
}

// noMAC is port security of a remote port, whose frames are looked at elsewhere. With it OVN
// learns nothing of them: of a remote port with "unknown" and without port security it learns
// as frames leave its tunnels (ls_out_put_fdb in ovn-northd(8)), and forgets only where ports
// have no port security.
const noMAC = "00:00:00:00:00:00"

// Edge is [Edge] in the zone's database: where the edge is another node's, its port is
// like any of that node. Nothing is learned of it either.
func (z Zone) Edge(network *v1alpha1.L2Network) (ovn.Port, bool) {
	p, goes := Edge(network)
	if !goes || network.Status.Stretch.TunnelKey == 0 {
		return ovn.Port{}, false // two zones would mean another port by one key
	}
	chassis := z.Chassis(network.Status.Stretch.Chassis)
	if network.Status.Stretch.Chassis == z.Node {
		p.Options["l2gateway-chassis"] = chassis
		return p, true
	}
	p.Type, p.Permit, p.PortSecurity = remote, "", []string{noMAC}
	p.Options = map[string]string{"requested-chassis": chassis}
	return p, true
}

// permitted is what other sides may send though the network's guard drops it: what the
// roles need that the network gives to anybody. Which of their pods has a role is seen
// to there.
func permitted(network *v1alpha1.L2Network) string {
	if guard(network) == "" {
		return ""
	}
	var matches []string
	for _, r := range roleMatches {
		if network.AllowsRole(r.role) {
			matches = append(matches, r.match)
		}
	}
	return anyOf(matches)
}
