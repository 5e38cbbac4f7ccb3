//go:build integration

package ovnnode_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

const refusal = "/run/openvswitch/refusal"

// What is wrong with a node's settings is said where the agent looks for it.
func TestCheckNodeRefusesSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		changes map[string]string
		want    string // "": the node is admitted
	}{
		"Good":            {nil, ""},
		"NoSuchDatapath":  {map[string]string{"DATAPATH": "dpdk"}, `BadSetting DATAPATH is "dpdk"`},
		"NoSuchFamily":    {map[string]string{"UNDERLAY_FAMILY": "ipv4"}, `BadSetting UNDERLAY_FAMILY is "ipv4"`},
		"NoInterface":     {map[string]string{"TUNNEL_INTERFACE": ""}, "NoTunnelInterface DATAPATH=netdev needs TUNNEL_INTERFACE"},
		"GoneInterface":   {map[string]string{"TUNNEL_INTERFACE": "eth7"}, "NoTunnelInterface no interface eth7"},
		"NodesInterface":  {map[string]string{"TUNNEL_INTERFACE": "eth0"}, "NoTunnelInterface interface eth0 holds the node's InternalIP 192.0.2.10"},
		"EdgesInterface":  {map[string]string{"EDGE_INTERFACE": "eth2"}, ""},
		"NotAnEdge":       {map[string]string{"EDGE_INTERFACE": "eth7"}, ""},
		"EdgesIsNodes":    {map[string]string{"EDGE_INTERFACE": "eth0"}, "NoTunnelInterface interface eth0 holds the node's InternalIP 192.0.2.10, and the node would be cut off. EDGE_INTERFACE"},
		"EdgesIsTunnels":  {map[string]string{"EDGE_INTERFACE": "eth1"}, "BadSetting EDGE_INTERFACE and TUNNEL_INTERFACE are both eth1"},
		"OtherFamily":     {map[string]string{"UNDERLAY_FAMILY": "IPv6"}, "NoTunnelAddress interface eth1, which TUNNEL_INTERFACE names, has no IPv6 address"},
		"FamilyOfNoNode":  {map[string]string{"UNDERLAY_FAMILY": "IPv6", "TUNNEL_INTERFACE": "", "NODE_IPS": "192.0.2.10"}, "NoTunnelAddress the node has no IPv6 InternalIP, only 192.0.2.10"},
		"AddressOfNoNode": {map[string]string{"TUNNEL_INTERFACE": "", "NODE_IPS": "203.0.113.7"}, "NoTunnelAddress no interface holds 203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) { checks(t, tc.changes, tc.want) })
	}
}

// An Open vSwitch is found by its sockets, wherever it has them: network plugins
// keep them in folders of their own.
func TestCheckNodeRefusesAnotherOpenVSwitch(t *testing.T) {
	for name, folder := range map[string]string{"Debians": "/run/openvswitch", "Antreas": "/run/antrea/openvswitch"} {
		t.Run(name, func(t *testing.T) {
			checks(t, nil, "")
			otherOpenVSwitch(t, folder)
			checks(t, nil, "OtherOpenVSwitch another Open vSwitch runs here: it listens on "+folder)
		})
	}
	checks(t, nil, "")
}

func checks(t *testing.T, changes map[string]string, want string) {
	t.Helper()
	out, err := script("check-node.sh", changes).CombinedOutput()
	said, _ := os.ReadFile(refusal)
	if want == "" {
		if err != nil || len(said) > 0 {
			t.Errorf("check-node.sh: %v: %s%s, want the node to be admitted", err, out, said)
		}
		return
	}
	g := NewWithT(t)
	g.Expect(err).To(HaveOccurred())
	g.Expect(string(said)).To(HavePrefix(want))
}

// otherOpenVSwitch runs somebody else's, with its sockets in folder.
func otherOpenVSwitch(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(t.TempDir(), "conf.db")
	run(t, "ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
	socket := filepath.Join(folder, "db.sock")
	background(t, folder, "ovsdb-server", database, "--remote=punix:"+socket)
	background(t, folder, "ovs-vswitchd", "unix:"+socket, "--disable-system")
	NewWithT(t).Eventually(func() ([]string, error) { return filepath.Glob(filepath.Join(folder, "ovs-vswitchd.*.ctl")) }, patience, "20ms").ShouldNot(BeEmpty())
}
