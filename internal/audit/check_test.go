package audit

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/multus"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

const (
	maxMTU = 1442
	portA  = "l2sm/default/a"

	keyOfPing = 16000001
)

// tidy returns facts without a discrepancy: attachment a of pod a on node-a, b
// on node-b, both on network ping, which serves DHCP, and c, which waits for a
// pod.
func tidy() Facts {
	network := inForce("ping", v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24", "fd10::/64"}, DHCP: true}})
	other := inForce("other", v1alpha1.L2NetworkSpec{})
	a, b := wired("a", "node-a", "0A:58:0a:00:00:01", "10.0.0.1/24", "FD10::1/64"), wired("b", "node-b", "0a:58:0a:00:00:02", "10.0.0.2/24", "fd10::2/64")
	c := wired("c", "", "0a:58:0a:00:00:03", "10.0.0.3/24")
	c.Spec.PodUID, c.Status = "", v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{v1alpha1.AttachmentAccepted(), v1alpha1.AttachmentNoPod("c")}}

	network.Status.TunnelKey, other.Status.TunnelKey, a.Status.TunnelKey, b.Status.TunnelKey = keyOfPing, keyOfPing+1, 1, 2

	f := Facts{
		Fabric:      v1alpha1.FabricCentral,
		MaxMTU:      maxMTU,
		Networks:    []v1alpha1.L2Network{network, other},
		Attachments: []v1alpha1.L2Attachment{a, b, c},
		Pods:        []corev1.Pod{podOf(&a), podOf(&b)},
		Nodes:       []string{"node-a", "node-b", "node-c"},
		Definitions: []string{"l2sm-system/l2sm", "default/ping"},
		Southbound: ovn.Bindings{
			Chassis:  []string{"node-a", "node-b"},
			Switches: []ovn.BoundSwitch{{Name: "l2sm/default/ping", TunnelKey: keyOfPing}, {Name: "l2sm/default/other", TunnelKey: keyOfPing + 1}},
			Ports:    []ovn.Binding{{Port: portA, Chassis: "node-a", Up: true, TunnelKey: 1}, {Port: "l2sm/default/b", Chassis: "node-b", Up: true, TunnelKey: 2}},
		},
		Agents: map[string]inventory.Node{"node-a": nodeOf(&a), "node-b": nodeOf(&b)},
		Leaders: []inventory.Controller{{Leads: true, Leases: []inventory.Lease{
			{Network: "default/ping", Owner: "default/a", MAC: "0a:58:0a:00:00:01", Addresses: []string{"10.0.0.1/24", "fd10::1/64"}},
			{Network: "default/ping", Owner: "default/b", MAC: "0a:58:0a:00:00:02", Addresses: []string{"10.0.0.2/24", "fd10::2/64"}},
			{Network: "default/ping", Owner: "default/c", MAC: "0a:58:0a:00:00:03", Addresses: []string{"10.0.0.3/24"}},
		}}},
	}
	rewrite(&f)
	return f
}

// inForce is a network whose spec is in force.
func inForce(name string, spec v1alpha1.L2NetworkSpec) v1alpha1.L2Network {
	return v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-of-" + name)},
		Spec:       spec,
		Status:     v1alpha1.L2NetworkStatus{InForce: &spec},
	}
}

func wired(name, node, mac string, addresses ...string) v1alpha1.L2Attachment {
	return v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-of-" + name)},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: name, PodUID: types.UID("uid-of-pod-" + name), NodeName: node, Interface: "net1",
			Network: v1alpha1.NetworkReference{Name: "ping"}, MACAddress: mac, Addresses: addresses,
		},
		Status: v1alpha1.L2AttachmentStatus{
			Network:    &v1alpha1.NetworkReference{Namespace: "default", Name: "ping"},
			MTU:        maxMTU,
			Conditions: []metav1.Condition{v1alpha1.AttachmentAccepted(), v1alpha1.AttachmentReady("net1")},
		},
	}
}

// podOf is the attachment's pod, with what it is told.
func podOf(a *v1alpha1.L2Attachment) corev1.Pod {
	entry, _ := multus.StatusEntry(a)
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Spec.PodName, UID: a.Spec.PodUID},
		Spec:       corev1.PodSpec{NodeName: a.Spec.NodeName},
	}
	return tell(p, nadv1.NetworkStatus{Name: "cbr0", Interface: "eth0", Default: true}, entry)
}

func tell(p corev1.Pod, entries ...nadv1.NetworkStatus) corev1.Pod {
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err)
	}
	p.Annotations = map[string]string{nadv1.NetworkStatusAnnot: string(text)}
	return p
}

func nodeOf(a *v1alpha1.L2Attachment) inventory.Node {
	p := newCheck(Facts{}).wantedPort(a)
	p.Name, p.Container = "l2p"+a.Name, "sandbox-of-"+a.Name
	p.Inner = inventory.Interface{
		Present: true, MAC: strings.ToLower(a.Spec.MACAddress),
		MTU: int(maxMTU), Addresses: slices.Clone(a.Spec.Addresses),
	}
	return inventory.Node{Node: a.Spec.NodeName, Ports: []inventory.Port{p}, HostEnds: []inventory.HostEnd{{Name: p.Name, Container: p.Container, IfName: "net1"}}}
}

// secure puts port security in force on network ping, in the database too.
func secure(f *Facts, security v1alpha1.PortSecurity, override bool) {
	f.Networks[0].Status.InForce.PortSecurity = security
	f.Networks[0].Status.InForce.AllowPortSecurityOverride = override
	rewrite(f)
}

// rewrite makes the northbound database hold what is in force.
func rewrite(f *Facts) {
	f.Northbound = ovn.Contents{}
	add(&f.Northbound, topology.For(f.Networks[0].InForce(), []*v1alpha1.L2Attachment{&f.Attachments[0], &f.Attachments[1]}, nil, maxMTU).Listed())
	add(&f.Northbound, topology.For(f.Networks[1].InForce(), nil, nil, maxMTU).Listed())
}

// goOn has network ping go on by the node's edge, in the databases too.
func goOn(f *Facts, node string) {
	f.Networks[0].Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: node}
	rewrite(f)
	f.Southbound.Ports = append(f.Southbound.Ports, ovn.Binding{Port: "l2sm/default/ping/edge", Chassis: node})
}

// inner changes the interface in the pod on node-a.
func inner(f *Facts, change func(*inventory.Interface)) {
	onA(f, func(n *inventory.Node) { change(&n.Ports[0].Inner) })
}

// shutOutA takes all of attachment a but what its node has.
func shutOutA(f *Facts) {
	f.Attachments[0].Status = v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{v1alpha1.AttachmentRefused(v1alpha1.ReasonNotAllowed, "no")}}
	f.Northbound.Ports = f.Northbound.Ports[1:]
	f.Southbound.Ports = f.Southbound.Ports[1:]
	f.Leaders[0].Leases = f.Leaders[0].Leases[1:]
	f.Pods[0] = tell(f.Pods[0])
}

// onA changes what the agent of node-a says.
func onA(f *Facts, change func(*inventory.Node)) {
	n := f.Agents["node-a"]
	change(&n)
	f.Agents["node-a"] = n
}

func TestCheck(t *testing.T) {
	foreign := ovn.Key{Namespace: "default", Name: "gone"}
	cases := map[string]struct {
		reason string
		spoil  func(*Facts)
		want   []Discrepancy
	}{
		"Tidy": {
			reason: "all is as it should be, however addresses are spelt",
			spoil:  func(*Facts) {},
		},

		"Edge": {
			reason: "a network that goes on in other clusters has one port more, which the edge's chassis has",
			spoil:  func(f *Facts) { goOn(f, "node-c") },
		},
		"EdgeElsewhere": {
			reason: "frames leave by another edge than that which speaks for the network",
			spoil: func(f *Facts) {
				goOn(f, "node-c")
				f.Networks[0].Status.Stretch.Chassis = "node-b"
			},
			want: []Discrepancy{
				{"northbound port l2sm/default/ping/edge", "options are map[l2gateway-chassis:node-c network_name:l2sm-edge], want map[l2gateway-chassis:node-b network_name:l2sm-edge]"},
				{"southbound port binding l2sm/default/ping/edge", `its chassis is "node-c", want "node-b"`},
			},
		},
		"EdgeStray": {
			reason: "what is left of a network that goes on no longer",
			spoil: func(f *Facts) {
				goOn(f, "node-c")
				f.Networks[0].Status.Stretch = nil
			},
			want: []Discrepancy{
				{"northbound port l2sm/default/ping/edge", "belongs to no L2Network that goes on in other clusters"},
				{"southbound port binding l2sm/default/ping/edge", "belongs to no L2Network that goes on in other clusters"},
			},
		},

		// The API itself.
		"NotAccepted": {
			reason: "the controller has to say something of every attachment",
			spoil:  func(f *Facts) { f.Attachments[2].Status.Conditions = nil },
			want:   []Discrepancy{{"L2Attachment default/c", "the controller has not said whether it is Accepted"}},
		},
		"NoNetwork": {
			reason: "what is accepted and bound is on a network",
			spoil: func(f *Facts) {
				f.Attachments[0].Status.Network = nil
				f.Northbound.Ports = f.Northbound.Ports[1:]
				f.Southbound.Ports = f.Southbound.Ports[1:]
				onA(f, func(n *inventory.Node) { n.Ports, n.HostEnds = nil, nil })
			},
			want: []Discrepancy{
				{"L2Attachment default/a", "is Accepted and bound, but has no network in its status"},
				{"L2Attachment default/a", "is Ready, but has no port"},
			},
		},
		"MoveNotDone": {
			reason: "what is accepted on another network has moved there",
			spoil:  func(f *Facts) { f.Attachments[0].Spec.Network.Name = "other" },
			want:   []Discrepancy{{"L2Attachment default/a", "is Accepted on default/other, but its port is on default/ping"}},
		},
		"MoveRefused": {
			reason: "a refused move leaves everything on the old network, and is none",
			spoil: func(f *Facts) {
				f.Attachments[0].Spec.Network.Name = "other"
				f.Attachments[0].Status.Conditions[0] = v1alpha1.AttachmentRefused(v1alpha1.ReasonOutOfRange, "no room")
			},
		},
		"NotReady": {
			reason: "a port is there to be used, and the agent says why not",
			spoil: func(f *Facts) {
				f.Attachments[0].Status.Conditions[1] = v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "no bridge")
				f.Pods[0] = tell(f.Pods[0])
			},
			want: []Discrepancy{{"L2Attachment default/a", "is not Ready: no bridge"}},
		},
		"NoPod": {
			reason: "a binding ends with its pod",
			spoil:  func(f *Facts) { f.Pods = f.Pods[1:] },
			want:   []Discrepancy{{"L2Attachment default/a", "is bound to pod a with UID uid-of-pod-a on node node-a, which does not run"}},
		},
		"PodEnded": {
			reason: "also when its pod has done its work",
			spoil:  func(f *Facts) { f.Pods[0].Status.Phase = corev1.PodSucceeded },
			want:   []Discrepancy{{"L2Attachment default/a", "is bound to pod a with UID uid-of-pod-a on node node-a, which does not run"}},
		},
		"NodeGone": {
			reason: "nodes take their attachments and chassis along",
			spoil: func(f *Facts) {
				f.Nodes = []string{"node-b", "node-c"}
				delete(f.Agents, "node-a")
			},
			want: []Discrepancy{
				{"L2Attachment default/a", "is bound to node node-a, which does not exist"},
				{"southbound chassis node-a", "belongs to no node"},
			},
		},
		"PortUnbound": {
			reason: "what waits for a pod has no port: OVN would answer for it",
			spoil: func(f *Facts) {
				f.Attachments[2].Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: "ping"}
			},
			want: []Discrepancy{
				{"L2Attachment default/c", "has a port on default/ping, but no pod"},
				{"L2Attachment default/c", "has a port on default/ping, but no tunnel key"},
				{"L2Attachment default/c", "is not Ready: " + v1alpha1.AttachmentNoPod("c").Message},
			},
		},

		// The northbound database.
		"SwitchMissing": {
			reason: "every network has a switch",
			spoil:  func(f *Facts) { f.Northbound.Switches = f.Northbound.Switches[:1] },
			want:   []Discrepancy{{"northbound switch l2sm/default/other", "is missing"}},
		},
		"SwitchOfNobody": {
			reason: "a switch goes with its network",
			spoil: func(f *Facts) {
				f.Northbound.Switches = append(f.Northbound.Switches, ovn.ListedSwitch{Name: foreign.Switch(), Network: foreign})
			},
			want: []Discrepancy{{"northbound switch l2sm/default/gone", "belongs to no L2Network"}},
		},
		"SwitchTwice": {
			reason: "OVN does not mind, and the network is torn in two",
			spoil:  func(f *Facts) { f.Northbound.Switches = append(f.Northbound.Switches, f.Northbound.Switches[1]) },
			want:   []Discrepancy{{"northbound switch l2sm/default/other", "is there 2 times"}},
		},
		"SwitchOfEarlier": {
			reason: "a switch serves the network that there is now",
			spoil:  func(f *Facts) { f.Northbound.Switches[1].UID = "uid-of-an-earlier" },
			want:   []Discrepancy{{"northbound switch l2sm/default/other", `its network's UID is "uid-of-an-earlier", want "uid-of-other"`}},
		},
		"PortMissing": {
			reason: "an attachment has a port",
			spoil:  func(f *Facts) { f.Northbound.Ports = f.Northbound.Ports[1:] },
			want:   []Discrepancy{{"northbound port " + portA, "is missing"}},
		},
		"PortOfNobody": {
			reason: "and a port an attachment",
			spoil: func(f *Facts) {
				p := f.Northbound.Ports[0]
				p.Name = "l2sm/default/gone"
				f.Northbound.Ports = append(f.Northbound.Ports, p)
			},
			want: []Discrepancy{{"northbound port l2sm/default/gone", "belongs to no L2Attachment"}},
		},
		"PortElsewhere": {
			reason: "and it is on its network's switch",
			spoil:  func(f *Facts) { f.Northbound.Ports[0].Switch = "l2sm/default/other" },
			want:   []Discrepancy{{"northbound port " + portA, `its switch is "l2sm/default/other", want "l2sm/default/ping"`}},
		},
		"PortOnTwo": {
			reason: "and on no other: networks are isolated",
			spoil: func(f *Facts) {
				p := f.Northbound.Ports[0]
				p.Switch = "l2sm/default/other"
				f.Northbound.Ports = append(f.Northbound.Ports, p)
			},
			want: []Discrepancy{{"northbound port " + portA, "is there 2 times"}},
		},
		"PortAddresses": {
			reason: "a port's addresses are the attachment's",
			spoil:  func(f *Facts) { f.Northbound.Ports[1].Addresses = []string{"unknown"} },
			want: []Discrepancy{{"northbound port l2sm/default/b",
				`addresses is ["unknown"], want ["0a:58:0a:00:00:02 10.0.0.2 fd10::2"]`}},
		},
		"PortSecurity": {
			reason: "without port security a pod may speak as another",
			spoil:  func(f *Facts) { f.Northbound.Ports[1].PortSecurity = nil },
			want: []Discrepancy{{"northbound port l2sm/default/b",
				`port_security is [], want ["0a:58:0a:00:00:02 10.0.0.2/24 fd10::2/64"]`}},
		},
		"PortDHCP": {
			reason: "a guest gets an answer",
			spoil:  func(f *Facts) { f.Northbound.Ports[1].DHCP = []string{"fd10::/64"} },
			want:   []Discrepancy{{"northbound port l2sm/default/b", `DHCP is ["fd10::/64"], want ["10.0.0.0/24" "fd10::/64"]`}},
		},
		"PortType": {
			reason: "another type makes of a pod's port a router's, or an uplink",
			spoil:  func(f *Facts) { f.Northbound.Ports[0].Type = "localnet" },
			want:   []Discrepancy{{"northbound port " + portA, `its type is "localnet", want ""`}},
		},
		"PortOptions": {
			reason: "another node's interface would be given the port",
			spoil:  func(f *Facts) { f.Northbound.Ports[0].Options = map[string]string{"requested-chassis": "node-b"} },
			want: []Discrepancy{{"northbound port " + portA,
				"options are map[requested-chassis:node-b], want map[iface-id-ver:uid-of-pod-a requested-chassis:node-a]"}},
		},
		"PortOptionsNone": {
			reason: "as above, with none at all",
			spoil:  func(f *Facts) { f.Northbound.Ports[0].Options = nil },
			want: []Discrepancy{{"northbound port " + portA,
				"options are map[], want map[iface-id-ver:uid-of-pod-a requested-chassis:node-a]"}},
		},
		"PortTunnelKey": {
			reason: "other nodes mean another port by it",
			spoil:  func(f *Facts) { f.Northbound.Ports[0].TunnelKey = 7 },
			want:   []Discrepancy{{"northbound port " + portA, `its tunnel key is "7", want "1"`}},
		},
		"SwitchTunnelKey": {
			reason: "as above, of the switch",
			spoil:  func(f *Facts) { f.Northbound.Switches[1].TunnelKey = 7 },
			want:   []Discrepancy{{"northbound switch l2sm/default/other", `its tunnel key is "7", want "16000002"`}},
		},
		"GivenOtherKeys": {
			reason: "northd gives another where a foreign row has the one that is asked for",
			spoil:  func(f *Facts) { f.Southbound.Switches[0].TunnelKey, f.Southbound.Ports[1].TunnelKey = 7, 8 },
			want: []Discrepancy{
				{"southbound port binding l2sm/default/b", `its tunnel key is "8", want "2"`},
				{"southbound switch l2sm/default/ping", `its tunnel key is "7", want "16000001"`},
			},
		},
		"TwoOfOneKey": {
			reason: "frames of one would arrive on the other",
			spoil: func(f *Facts) {
				f.Networks[1].Status.TunnelKey, f.Southbound.Switches[1].TunnelKey = keyOfPing, keyOfPing
				rewrite(f)
			},
			want: []Discrepancy{{"tunnel key 16000001 of networks", "is held by default/other and default/ping"}},
		},
		"Refused": {
			reason: "a generation that is refused changes nothing: neither rows nor interfaces",
			spoil: func(f *Facts) {
				f.Networks[0].Generation = 2
				f.Networks[0].Spec = v1alpha1.L2NetworkSpec{MTU: new(int32(9000)), PortSecurity: v1alpha1.PortSecurityDisabled}
			},
		},
		"RefusedFromTheStart": {
			reason: "a network that never had a spec in force has a switch without anything on it",
			spoil: func(f *Facts) {
				f.Networks[1].Status = v1alpha1.L2NetworkStatus{TunnelKey: f.Networks[1].Status.TunnelKey}
				f.Networks[1].Spec = *f.Networks[0].Status.InForce.DeepCopy()
			},
		},
		"PortOwner": {
			reason: "a port is of this life of the attachment",
			spoil:  func(f *Facts) { f.Northbound.Ports[0].Owner = "uid-of-an-earlier" },
			want:   []Discrepancy{{"northbound port " + portA, `its attachment's UID is "uid-of-an-earlier", want "uid-of-a"`}},
		},
		"DHCPMissing": {
			reason: "a network that serves DHCP has options for each family",
			spoil:  func(f *Facts) { f.Northbound.DHCP = f.Northbound.DHCP[1:] },
			want:   []Discrepancy{{"northbound DHCP options of default/ping for 10.0.0.0/24", "is missing"}},
		},
		"DHCPOfNobody": {
			reason: "nothing takes them along when the network goes",
			spoil: func(f *Facts) {
				f.Northbound.DHCP = append(f.Northbound.DHCP, ovn.ListedDHCP{Network: foreign, DHCP: ovn.DHCP{CIDR: "10.9.0.0/24"}})
			},
			want: []Discrepancy{{"northbound DHCP options of default/gone for 10.9.0.0/24", "belongs to no L2Network"}},
		},
		"DHCPOptions": {
			reason: "guests get what the network says",
			spoil:  func(f *Facts) { f.Northbound.DHCP[1].Options = map[string]string{"server_id": "x"} },
			want: []Discrepancy{{"northbound DHCP options of default/ping for fd10::/64",
				"options are map[server_id:x], want map[server_id:02:6c:32:73:6d:01]"}},
		},

		// The southbound database.
		"BindingMissing": {
			reason: "northd makes a binding of each port",
			spoil:  func(f *Facts) { f.Southbound.Ports = f.Southbound.Ports[1:] },
			want:   []Discrepancy{{"southbound port binding " + portA, "is missing"}},
		},
		"BindingStale": {
			reason: "and none of nothing",
			spoil: func(f *Facts) {
				f.Southbound.Ports = append(f.Southbound.Ports, ovn.Binding{Port: "l2sm/default/gone"})
			},
			want: []Discrepancy{{"southbound port binding l2sm/default/gone", "belongs to no L2Attachment"}},
		},
		"OtherChassis": {
			reason: "the pod's node has claimed the port",
			spoil:  func(f *Facts) { f.Southbound.Ports[0].Chassis = "node-b" },
			want:   []Discrepancy{{"southbound port binding " + portA, `its chassis is "node-b", want "node-a"`}},
		},
		"Down": {
			reason: "and says that it is up",
			spoil:  func(f *Facts) { f.Southbound.Ports[0].Up = false },
			want:   []Discrepancy{{"southbound port binding " + portA, `up is "false", want "true"`}},
		},
		"ChassisMissing": {
			reason: "where an agent runs there is a chassis",
			spoil:  func(f *Facts) { f.Southbound.Chassis = f.Southbound.Chassis[1:] },
			want:   []Discrepancy{{"southbound chassis node-a", "is missing"}},
		},

		// Nodes.
		"OVSMissing": {
			reason: "the pod's interface is a port of its node's switch",
			spoil:  func(f *Facts) { onA(f, func(n *inventory.Node) { n.Ports, n.HostEnds = nil, nil }) },
			want:   []Discrepancy{{"node node-a, Open vSwitch port of " + portA, "is missing"}},
		},
		"OVSOnOtherNode": {
			reason: "and of no other's: two interfaces of one port kill both",
			spoil: func(f *Facts) {
				n := f.Agents["node-b"]
				a := f.Agents["node-a"]
				n.Ports, n.HostEnds = append(n.Ports, a.Ports...), append(n.HostEnds, a.HostEnds...)
				f.Agents["node-b"] = n
			},
			want: []Discrepancy{{"node node-b, Open vSwitch port of " + portA, "belongs to no L2Attachment of the node"}},
		},
		"OVSTwice": {
			reason: "nor twice on its own",
			spoil: func(f *Facts) {
				onA(f, func(n *inventory.Node) {
					again := n.Ports[0]
					again.Name = "l2pagain"
					n.Ports = append(n.Ports, again)
					n.HostEnds = append(n.HostEnds, inventory.HostEnd{Name: again.Name, Container: again.Container})
				})
			},
			want: []Discrepancy{{"node node-a, Open vSwitch port of " + portA, "is there 2 times"}},
		},
		"OVSOfEarlier": {
			reason: "a port says whose it is",
			spoil: func(f *Facts) {
				onA(f, func(n *inventory.Node) {
					n.Ports[0].Attachment, n.Ports[0].MAC, n.Ports[0].Interface = "uid-of-an-earlier", "0a:58:00:00:00:00", "net9"
					n.Ports[0].PodName, n.Ports[0].PodUID = "z", "uid-of-pod-z"
				})
			},
			want: []Discrepancy{
				{"node node-a, Open vSwitch port of " + portA, `attached-mac is "0a:58:00:00:00:00", want "0a:58:0a:00:00:01"`},
				{"node node-a, Open vSwitch port of " + portA, `its attachment's UID is "uid-of-an-earlier", want "uid-of-a"`},
				{"node node-a, Open vSwitch port of " + portA, `its interface is "net9", want "net1"`},
				{"node node-a, Open vSwitch port of " + portA, `its pod is "default/z", want "default/a"`},
				{"node node-a, Open vSwitch port of " + portA, `its pod's UID is "uid-of-pod-z", want "uid-of-pod-a"`},
			},
		},
		"OVSDead": {
			reason: "a port works",
			spoil: func(f *Facts) {
				onA(f, func(n *inventory.Node) { n.Ports[0].Installed, n.Ports[0].Error = false, "no such device" })
			},
			want: []Discrepancy{
				{"node node-a, Open vSwitch port of " + portA, `its error is "no such device", want ""`},
				{"node node-a, Open vSwitch port of " + portA, `ovn-installed is "false", want "true"`},
			},
		},
		"LinkMissing": {
			reason: "a port has a device",
			spoil:  func(f *Facts) { onA(f, func(n *inventory.Node) { n.HostEnds = nil }) },
			want:   []Discrepancy{{"node node-a, link l2pa", "is missing"}},
		},
		"LinkOfNobody": {
			reason: "a device is a port's",
			spoil: func(f *Facts) {
				onA(f, func(n *inventory.Node) { n.HostEnds = append(n.HostEnds, inventory.HostEnd{Name: "l2pgone"}) })
			},
			want: []Discrepancy{{"node node-a, link l2pgone", "belongs to no port"}},
		},
		"LinkOfOther": {
			reason: "of the same sandbox",
			spoil:  func(f *Facts) { onA(f, func(n *inventory.Node) { n.HostEnds[0].Container = "another" }) },
			want:   []Discrepancy{{"node node-a, link l2pa", `its container is "another", want "sandbox-of-a"`}},
		},
		"InnerMissing": {
			reason: "the pod has its interface",
			spoil:  func(f *Facts) { onA(f, func(n *inventory.Node) { n.Ports[0].Inner = inventory.Interface{} }) },
			want:   []Discrepancy{{"node node-a, Open vSwitch port of " + portA, "interface net1 in pod default/a: is missing"}},
		},
		"InnerError": {
			reason: "or why it can't be looked at is told",
			spoil: func(f *Facts) {
				onA(f, func(n *inventory.Node) { n.Ports[0].Inner = inventory.Interface{Error: "not permitted"} })
			},
			want: []Discrepancy{{"node node-a, Open vSwitch port of " + portA, "interface net1 in pod default/a: not permitted"}},
		},
		"Inner": {
			reason: "with its MAC address, its MTU and all its addresses",
			spoil: func(f *Facts) {
				onA(f, func(n *inventory.Node) {
					n.Ports[0].Inner = inventory.Interface{Present: true, MAC: "0a:58:00:00:00:00", MTU: 1500, Addresses: []string{"10.0.0.1/24", "10.0.0.99/24"}}
				})
			},
			want: []Discrepancy{
				{"node node-a, Open vSwitch port of " + portA, `interface net1 in pod default/a: MAC address is "0a:58:00:00:00:00", want "0a:58:0a:00:00:01"`},
				{"node node-a, Open vSwitch port of " + portA, `interface net1 in pod default/a: MTU is "1500", want "1442"`},
				{"node node-a, Open vSwitch port of " + portA, "interface net1 in pod default/a: lacks address FD10::1/64"},
			},
		},
		"VirtualMAC": {
			reason: "without port security a pod may have the MAC address of a virtual router, and addresses of its own",
			spoil: func(f *Facts) {
				secure(f, v1alpha1.PortSecurityDisabled, false)
				inner(f, func(i *inventory.Interface) { i.MAC, i.Addresses = "00:00:5e:00:01:0a", []string{"10.0.0.100/24"} })
			},
		},
		"VirtualMACOfOne": {
			reason: "also where the network lets an attachment choose",
			spoil: func(f *Facts) {
				f.Attachments[0].Spec.PortSecurity = v1alpha1.PortSecurityDisabled
				secure(f, v1alpha1.PortSecurityStrict, true)
				inner(f, func(i *inventory.Interface) { i.MAC = "00:00:5e:00:01:0a" })
			},
		},
		"VirtualMACNotLet": {
			reason: "but not where it does not: no frame of that MAC address passes",
			spoil: func(f *Facts) {
				f.Attachments[0].Spec.PortSecurity = v1alpha1.PortSecurityDisabled
				secure(f, v1alpha1.PortSecurityStrict, false)
				inner(f, func(i *inventory.Interface) { i.MAC = "00:00:5e:00:01:0a" })
			},
			want: []Discrepancy{{"node node-a, Open vSwitch port of " + portA,
				`interface net1 in pod default/a: MAC address is "00:00:5e:00:01:0a", want "0a:58:0a:00:00:01"`}},
		},
		"OwnAddresses": {
			reason: "with security MAC the addresses are the pod's, the MAC address is not",
			spoil: func(f *Facts) {
				secure(f, v1alpha1.PortSecurityMAC, false)
				inner(f, func(i *inventory.Interface) { i.MAC, i.Addresses = "00:00:5e:00:01:0a", nil })
			},
			want: []Discrepancy{{"node node-a, Open vSwitch port of " + portA,
				`interface net1 in pod default/a: MAC address is "00:00:5e:00:01:0a", want "0a:58:0a:00:00:01"`}},
		},
		"DisabledStillThere": {
			reason: "an interface that is gone carries nothing, whatever the port lets pass",
			spoil: func(f *Facts) {
				secure(f, v1alpha1.PortSecurityDisabled, false)
				inner(f, func(i *inventory.Interface) { *i = inventory.Interface{} })
			},
			want: []Discrepancy{{"node node-a, Open vSwitch port of " + portA, "interface net1 in pod default/a: is missing"}},
		},
		"ShutOut": {
			reason: "who is shut out has nothing",
			spoil: func(f *Facts) {
				shutOutA(f)
				onA(f, func(n *inventory.Node) { n.Ports, n.HostEnds = nil, nil })
			},
		},
		"ShutOutAndLeft": {
			reason: "and what is left of it is said",
			spoil:  shutOutA,
			want:   []Discrepancy{{"node node-a, Open vSwitch port of " + portA, "belongs to no L2Attachment of the node"}},
		},
		"NodeUnseen": {
			reason: "what could not be looked at is not said to be missing",
			spoil:  func(f *Facts) { delete(f.Agents, "node-a") },
		},

		// What pods are told.
		"StatusMissing": {
			reason: "a pod is told of its interface",
			spoil:  func(f *Facts) { f.Pods[0] = tell(f.Pods[0]) },
			want:   []Discrepancy{{"pod default/a, network-status of default/ping net1", "is missing"}},
		},
		"StatusStale": {
			reason: "and of none that it has not",
			spoil: func(f *Facts) {
				s, _ := multus.StatusEntry(&f.Attachments[0])
				gone := s
				gone.Interface = "net2"
				f.Pods[0] = tell(f.Pods[0], s, gone, nadv1.NetworkStatus{Name: "l2sm-system/l2sm", Interface: "net3"}, nadv1.NetworkStatus{Name: "default/theirs"})
			},
			want: []Discrepancy{
				{"pod default/a, network-status of default/ping net2", "belongs to no L2Attachment that is Ready"},
				{"pod default/a, network-status of l2sm-system/l2sm net3", "belongs to no L2Attachment that is Ready"},
			},
		},
		"StatusOld": {
			reason: "as it is",
			spoil: func(f *Facts) {
				f.Pods[0] = tell(f.Pods[0], nadv1.NetworkStatus{Name: "default/ping", Interface: "net1", Mac: "m", Mtu: 1, IPs: []string{"10.0.0.9"}})
			},
			want: []Discrepancy{
				{"pod default/a, network-status of default/ping net1", `ips is ["10.0.0.9"], want ["10.0.0.1" "fd10::1"]`},
				{"pod default/a, network-status of default/ping net1", `mac is "m", want "0A:58:0a:00:00:01"`},
				{"pod default/a, network-status of default/ping net1", `mtu is "1", want "1442"`},
			},
		},
		"StatusOfOtherPlugin": {
			reason: "another plugin wired it before the definition became ours",
			spoil: func(f *Facts) {
				s, _ := multus.StatusEntry(&f.Attachments[0])
				f.Pods[0] = tell(f.Pods[0], s, nadv1.NetworkStatus{Name: "default/ping", Interface: "net2", IPs: []string{"10.171.0.2"}})
				f.Pods[0].Annotations[nadv1.NetworkAttachmentAnnot] = "l2sm-system/l2sm, ping"
			},
		},
		"StatusAskedForElsewhere": {
			reason: "what the pod asks for as another interface says nothing of this one",
			spoil: func(f *Facts) {
				s, _ := multus.StatusEntry(&f.Attachments[0])
				f.Pods[0] = tell(f.Pods[0], s, nadv1.NetworkStatus{Name: "default/ping", Interface: "net2"})
				f.Pods[0].Annotations[nadv1.NetworkAttachmentAnnot] = "ping@data0"
			},
			want: []Discrepancy{{"pod default/a, network-status of default/ping net2", "belongs to no L2Attachment that is Ready"}},
		},
		"StatusNotReady": {
			reason: "an interface of an attachment is ours, asked for or not, and the pod has it not yet",
			spoil: func(f *Facts) {
				f.Pods[0].Annotations[nadv1.NetworkAttachmentAnnot] = "ping"
				f.Attachments[0].Status.Conditions[1] = v1alpha1.AttachmentNotReady(v1alpha1.ReasonWiring, "not yet")
			},
			want: []Discrepancy{
				{"L2Attachment default/a", "is not Ready: " + "not yet"},
				{"pod default/a, network-status of default/ping net1", "belongs to no L2Attachment that is Ready"},
			},
		},
		"StatusUnreadable": {
			reason: "what can't be read tells a pod nothing",
			spoil:  func(f *Facts) { f.Pods[0].Annotations[nadv1.NetworkStatusAnnot] = "{" },
			want:   []Discrepancy{{"pod default/a, network-status", "can't be read: unexpected end of JSON input"}},
		},
		"StatusNone": {
			reason: "Multus speaks first; the controller only corrects it",
			spoil:  func(f *Facts) { f.Pods[0].Annotations = nil },
		},

		// Leases.
		"LeaseMissing": {
			reason: "an address that the controller does not know of is given out again, also one that waits for its pod",
			spoil:  func(f *Facts) { f.Leaders[0].Leases = f.Leaders[0].Leases[:2] },
			want:   []Discrepancy{{"l2sm-controller, lease of default/c on default/ping", "is missing"}},
		},
		"LeaseOfNobody": {
			reason: "one that nobody has is lost to others",
			spoil: func(f *Facts) {
				f.Leaders[0].Leases = append(f.Leaders[0].Leases, inventory.Lease{Network: "default/ping", Owner: "default/gone"})
			},
			want: []Discrepancy{{"l2sm-controller, lease of default/gone on default/ping", "belongs to no L2Attachment"}},
		},
		"LeaseOnOther": {
			reason: "a move that is over leaves nothing behind",
			spoil: func(f *Facts) {
				f.Leaders[0].Leases = append(f.Leaders[0].Leases, inventory.Lease{Network: "default/other", Owner: "default/a"})
			},
			want: []Discrepancy{{"l2sm-controller, lease of default/a on default/other", "belongs to no L2Attachment"}},
		},
		"LeaseDiffers": {
			reason: "the controller knows what the attachment records",
			spoil: func(f *Facts) {
				f.Leaders[0].Leases[2].MAC, f.Leaders[0].Leases[2].Addresses = "0a:58:00:00:00:00", []string{"10.0.0.4/24"}
			},
			want: []Discrepancy{
				{"l2sm-controller, lease of default/c on default/ping", `its MAC address is "0a:58:00:00:00:00", want "0a:58:0a:00:00:03"`},
				{"l2sm-controller, lease of default/c on default/ping", `its addresses is ["10.0.0.4/24"], want ["10.0.0.3/24"]`},
			},
		},
		"LeaseOfRefused": {
			reason: "what is refused may have its lease or not",
			spoil: func(f *Facts) {
				f.Attachments[2].Status.Conditions[0] = v1alpha1.AttachmentRefused(v1alpha1.ReasonNotAllowed, "no")
			},
		},
		"RefusedWithout": {
			reason: "as above, without",
			spoil: func(f *Facts) {
				f.Attachments[2].Status.Conditions[0] = v1alpha1.AttachmentRefused(v1alpha1.ReasonAddressTaken, "no")
				f.Leaders[0].Leases = f.Leaders[0].Leases[:2]
			},
		},
		"TwoLead": {
			reason: "two that give out addresses would give out the same",
			spoil:  func(f *Facts) { f.Leaders = append(f.Leaders, f.Leaders[0]) },
			want:   []Discrepancy{{"l2sm-controller", "2 replicas lead"}},
		},
		"AddressTwice": {
			reason: "no address and no MAC address is twice on a network, pod or not",
			spoil: func(f *Facts) {
				f.Attachments[2].Spec.Addresses, f.Attachments[2].Spec.MACAddress = []string{"10.0.0.2/24"}, "0A:58:0A:00:00:02"
				f.Leaders[0].Leases[2].Addresses, f.Leaders[0].Leases[2].MAC = []string{"10.0.0.2/24"}, "0a:58:0a:00:00:02"
			},
			want: []Discrepancy{
				{"L2Network default/ping, MAC address 0a:58:0a:00:00:02", "is held by default/b and default/c"},
				{"L2Network default/ping, address 10.0.0.2", "is held by default/b and default/c"},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := tidy()
			tc.spoil(&f)
			if diff := cmp.Diff(tc.want, Check(f)); diff != "" {
				t.Errorf("%s: discrepancies (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
