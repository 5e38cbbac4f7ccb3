package topology

import (
	"slices"
	"strings"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// What only ports of a role may send, as matches of ovn-sb(5): advertisements and
// redirects of routers (RFC 4861), and what DHCP servers answer (RFC 2131, RFC
// 8415).
var roleMatches = []struct {
	role  v1alpha1.Role
	match string
}{
	{v1alpha1.RoleRouter, "icmp6.type == {134, 137}"},
	{v1alpha1.RoleDHCPServer, "(ip4 && udp.src == 67) || (ip6 && udp.src == 547)"},
}

// What no port may send that hides from port security and from the above.
const (
	// Linux takes a frame with a tag of VLAN 0 for one without, however many there
	// are of them; Open vSwitch looks behind one tag only.
	nestedTags = "vlan.present && vlan.vid == 0 && eth.type == {0x8100, 0x88a8}"
	// Neighbour discovery is not fragmented (RFC 6980), and fragments have no type
	// in Open vSwitch.
	fragmentedND = "icmp6 && ip.is_frag && ip.ttl == 255"
)

// everything is a match of all frames.
const everything = "1"

// guard is what the network's ports may not send unless permit says otherwise.
// There is none where the network leaves its ports to themselves: an attachment
// that chooses more of a port security there binds itself, and no other.
func guard(network *v1alpha1.L2Network) string {
	if network.NetworkSecurity() == v1alpha1.PortSecurityDisabled {
		return ""
	}
	matches := []string{nestedTags, fragmentedND}
	for _, r := range roleMatches {
		matches = append(matches, r.match)
	}
	return anyOf(matches)
}

// permit is what the attachment's port may send though the network's guard drops
// it: what its roles need, as far as the network allows them.
func permit(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, security v1alpha1.PortSecurity) string {
	switch {
	case guard(network) == "":
		return ""
	case security == v1alpha1.PortSecurityDisabled:
		return everything
	}
	var matches []string
	for _, r := range roleMatches {
		if slices.Contains(a.Spec.Roles, r.role) && network.AllowsRole(r.role) {
			matches = append(matches, r.match)
		}
	}
	return anyOf(matches)
}

// Routes says whether the attachment may send Router Advertisements, which nodes
// see to: OVN passes them before it reads ACLs.
func Routes(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) bool {
	return Security(network, a) == v1alpha1.PortSecurityDisabled ||
		slices.Contains(a.Spec.Roles, v1alpha1.RoleRouter) && network.AllowsRole(v1alpha1.RoleRouter)
}

func anyOf(matches []string) string {
	if len(matches) == 0 {
		return ""
	}
	return "(" + strings.Join(matches, ") || (") + ")"
}
