package topology_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// zoned is an attachment that the controller has placed, on a node.
func zoned(node string, key int32, change ...func(*v1alpha1.L2Attachment)) *v1alpha1.L2Attachment {
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "on-" + node, UID: "a"},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: "ping", PodUID: "p", NodeName: node, MACAddress: "0a:58:0a:00:00:01", Addresses: []string{"10.0.0.1/24"},
		},
		Status: v1alpha1.L2AttachmentStatus{Network: &v1alpha1.NetworkReference{Namespace: "default", Name: "net"}, TunnelKey: key},
	}
	for _, c := range change {
		c(a)
	}
	return a
}

func zonedNetwork(spec v1alpha1.L2NetworkSpec) *v1alpha1.L2Network {
	return &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net", UID: "n"}, Spec: spec, Status: v1alpha1.L2NetworkStatus{TunnelKey: 16_000_001},
	}
}

func TestZone(t *testing.T) {
	strict := v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}}}
	open := v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityDisabled}
	router := func(a *v1alpha1.L2Attachment) { a.Spec.Roles = []v1alpha1.Role{v1alpha1.RoleRouter} }
	zone := topology.Zone{Node: "node-a", Chassis: func(node string) string { return "chassis-of-" + node }}
	cases := map[string]struct {
		reason     string
		spec       v1alpha1.L2NetworkSpec
		attachment *v1alpha1.L2Attachment
		want       ovn.Port
	}{
		"Own": {"as on Central, with its key", strict, zoned("node-a", 7), ovn.Port{
			Addresses: []string{"0a:58:0a:00:00:01 10.0.0.1"}, PortSecurity: []string{"0a:58:0a:00:00:01 10.0.0.1/24"}, TunnelKey: 7,
			Options: map[string]string{"requested-chassis": "chassis-of-node-a", "iface-id-ver": "p"},
		}},
		"Other": {"its own zone sees to what it may send", strict, zoned("node-b", 8, router), ovn.Port{
			Type: "remote", Addresses: []string{"0a:58:0a:00:00:01 10.0.0.1"}, TunnelKey: 8,
			Options: map[string]string{"requested-chassis": "chassis-of-node-b"},
		}},
		"Unknown": {"what no port is known to have goes to other nodes too", open, zoned("node-b", 9), ovn.Port{
			Type: "remote", Addresses: []string{"0a:58:0a:00:00:01", "unknown"}, TunnelKey: 9,
			Options: map[string]string{"requested-chassis": "chassis-of-node-b"},
		}},
		"Secured": {"its zone sees to it, and this one learns nothing of it", v1alpha1.L2NetworkSpec{}, zoned("node-b", 9), ovn.Port{
			Type: "remote", Addresses: []string{"0a:58:0a:00:00:01", "unknown"}, PortSecurity: []string{"0a:58:0a:00:00:01"}, TunnelKey: 9,
			Options: map[string]string{"requested-chassis": "chassis-of-node-b"},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.want.Name, tc.want.Owner = tc.attachment.PortName(), string(tc.attachment.UID)
			got := zone.For(zonedNetwork(tc.spec), []*v1alpha1.L2Attachment{tc.attachment}, nil, 1442)
			if diff := cmp.Diff([]ovn.Port{tc.want}, got.Ports); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if got.TunnelKey != 16_000_001 {
				t.Errorf("the switch has key %d", got.TunnelKey)
			}
		})
	}
}

// Two zones must mean the same by a frame's keys, and no zone may forget what all
// ports of the network have.
func TestZonesAgree(t *testing.T) {
	network := zonedNetwork(v1alpha1.L2NetworkSpec{})
	members := []*v1alpha1.L2Attachment{zoned("node-a", 7), zoned("node-b", 8), zoned("node-c", 9)}
	type agreed struct{ Switch, Port int }
	var zones []map[string]agreed
	for _, node := range []string{"node-a", "node-b", "node-c"} {
		n := topology.Zone{Node: node, Chassis: func(node string) string { return node }}.For(network, members, nil, 1442)
		keys := map[string]agreed{}
		for _, p := range n.Ports {
			keys[p.Name] = agreed{n.TunnelKey, p.TunnelKey}
		}
		zones = append(zones, keys)
	}
	for _, other := range zones[1:] {
		if diff := cmp.Diff(zones[0], other); diff != "" || len(other) != len(members) {
			t.Errorf("keys of two zones (-one +other):\n%s", diff)
		}
	}
}

func TestPlaced(t *testing.T) {
	now := metav1.Now()
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Attachment)
		want   bool
	}{
		"Placed":   {"the controller has said where, and by which key", func(*v1alpha1.L2Attachment) {}, true},
		"NoKey":    {"a zone would choose a key that another does not know", func(a *v1alpha1.L2Attachment) { a.Status.TunnelKey = 0 }, false},
		"Refused":  {"it is on no network", func(a *v1alpha1.L2Attachment) { a.Status.Network = nil }, false},
		"Unbound":  {"OVN answers for a port without an interface", func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "" }, false},
		"Deleting": {"its pod is gone", func(a *v1alpha1.L2Attachment) { a.DeletionTimestamp = &now }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, got := topology.Placed(zoned("node-a", 7, tc.change)); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}
