package topology_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// outOf is a network that goes on in other clusters by way of a node.
func outOf(node string, key int32, spec v1alpha1.L2NetworkSpec) *v1alpha1.L2Network {
	n := zonedNetwork(spec)
	n.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: node, TunnelKey: key}
	return n
}

const routers, servers = "icmp6.type == {134, 137}", "(ip4 && udp.src == 67) || (ip6 && udp.src == 547)"

func TestEdge(t *testing.T) {
	ipam := &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}}
	out := func(permit string) ovn.Port {
		return ovn.Port{
			Type: "l2gateway", Addresses: []string{"unknown"}, Permit: permit,
			Options: map[string]string{"network_name": "l2sm-edge", "l2gateway-chassis": "node-a"},
		}
	}
	cases := map[string]struct {
		reason string
		spec   v1alpha1.L2NetworkSpec
		want   ovn.Port
	}{
		"Strict":   {"no side's pods have a role here", v1alpha1.L2NetworkSpec{IPAM: ipam}, out("")},
		"Router":   {"a router may be on another side", v1alpha1.L2NetworkSpec{IPAM: ipam, AllowedRoles: &[]v1alpha1.Role{v1alpha1.RoleRouter}}, out("(" + routers + ")")},
		"Plain":    {"any pod may have any role", v1alpha1.L2NetworkSpec{}, out("(" + routers + ") || (" + servers + ")")},
		"Disabled": {"nothing is guarded against", v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityDisabled}, out("")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.want.Name, tc.want.Owner = "l2sm/default/net/edge", "n"
			got := topology.For(outOf("node-a", 0, tc.spec), nil, nil, 1442)
			if diff := cmp.Diff([]ovn.Port{tc.want}, got.Ports); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	for name, status := range map[string]*v1alpha1.StretchStatus{"None": nil, "NoID": {Chassis: "node-a"}, "NoChassis": {ID: 5001}} {
		n := zonedNetwork(v1alpha1.L2NetworkSpec{Stretch: &v1alpha1.Stretch{ID: 5001, Peers: []string{"east"}}})
		n.Status.Stretch = status
		if got := topology.For(n, nil, nil, 1442); len(got.Ports) > 0 {
			t.Errorf("%s: the spec alone has a port: %v", name, got.Ports)
		}
	}
}

// Zones agree on the port, whichever of them has the edge.
func TestZoneEdge(t *testing.T) {
	chassis := func(node string) string { return "chassis-of-" + node }
	port := func(node string, key int32) []ovn.Port {
		return topology.Zone{Node: node, Chassis: chassis}.For(outOf("node-a", key, v1alpha1.L2NetworkSpec{}), nil, nil, 1442).Ports
	}
	own := []ovn.Port{{
		Name: "l2sm/default/net/edge", Owner: "n", Type: "l2gateway", Addresses: []string{"unknown"}, TunnelKey: 7,
		Permit:  "(" + routers + ") || (" + servers + ")",
		Options: map[string]string{"network_name": "l2sm-edge", "l2gateway-chassis": "chassis-of-node-a"},
	}}
	others := []ovn.Port{{
		Name: "l2sm/default/net/edge", Owner: "n", Type: "remote", Addresses: []string{"unknown"}, PortSecurity: []string{"00:00:00:00:00:00"}, TunnelKey: 7,
		Options: map[string]string{"requested-chassis": "chassis-of-node-a"},
	}}
	if diff := cmp.Diff(own, port("node-a", 7)); diff != "" {
		t.Errorf("where the edge is (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(others, port("node-b", 7)); diff != "" {
		t.Errorf("elsewhere (-want +got):\n%s", diff)
	}
	if got := port("node-a", 0); got != nil {
		t.Errorf("a zone would choose a key that another does not know: %v", got)
	}
}
