package lab

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNetworkScripts(t *testing.T) {
	p, err := newPlan("dev", 3)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		got    string
		want   string
	}{
		"Fabric": {
			reason: "tunnels get a bridge of their own that carries larger frames",
			got:    fabricScript("dev-cp"),
			want: `link add main type bridge
link set main up
link add tunnels type bridge
link set tunnels mtu 1600 up
link add cp up master main type veth peer name eth0 netns dev-cp
`,
		},
		"ControlPlane": {
			reason: "the API server reaches pods of every node by a route",
			got:    controlPlaneScript(p),
			want: `link set lo up
link set eth0 up
addr add 10.250.0.1/24 dev eth0
route add 10.244.1.0/24 via 10.250.0.11
route add 10.244.2.0/24 via 10.250.0.12
route add 10.244.3.0/24 via 10.250.0.13
`,
		},
		"Plug": {
			reason: "both ends of a link carry the same MTU, and the node's MAC address is the same each time",
			got:    plugScript(p.Nodes[1]),
			want: `link add n2-eth0 mtu 1500 up master main type veth peer name eth0 address 02:00:0a:fa:00:0c mtu 1500 netns dev-n2
link add n2-eth1 mtu 1600 up master tunnels type veth peer name eth1 address 02:00:0a:fb:00:0c mtu 1600 netns dev-n2
`,
		},
		"Node": {
			reason: "a node routes to the pods of the others, and its own are local",
			got:    nodeScript(p, p.Nodes[1]),
			want: `link set lo up
link set eth0 up
link set eth1 up
addr add 10.250.0.12/24 dev eth0
addr add 10.251.0.12/24 dev eth1
route add default via 10.250.0.1
route add 10.244.1.0/24 via 10.250.0.11
route add 10.244.3.0/24 via 10.250.0.13
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
