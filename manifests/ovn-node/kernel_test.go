//go:build integration && kernel

package ovnnode_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// These run on a kernel with the modules openvswitch and geneve: make test-kernel.

// system are the settings of a node with the kernel's datapath and one interface.
var system = map[string]string{"DATAPATH": "system", "TUNNEL_INTERFACE": ""}

// A starting ovs-vswitchd takes away datapaths and ports that its database does
// not have: another's pods would be cut off.
func TestCheckNodeRefusesAnotherDatapath(t *testing.T) {
	checks(t, system, "")
	for name, tc := range map[string]struct{ bridge, port, want string }{
		"PortsOfAnother": {"br-antrea", "antrea-gw0", "the kernel's datapath ovs-system holds antrea-gw0"},
		"LeftByUs":       {"br-int", "l2p0123456789", ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := "/run/other/openvswitch"
			stop := otherOpenVSwitchInKernel(t, folder, tc.bridge, tc.port)
			checks(t, system, "OtherOpenVSwitch another Open vSwitch runs here: it listens on "+folder)
			stop()
			// Its datapath outlives it, as l2sm's own does.
			want := ""
			if tc.want != "" {
				want = "OtherOpenVSwitch " + tc.want
			}
			checks(t, system, want)
			run(t, "ovs-dpctl", "del-dp", "ovs-system")
			checks(t, system, "")
		})
	}
	run(t, "ovs-dpctl", "add-dp", "theirs")
	checks(t, system, "OtherOpenVSwitch somebody else's datapath system@theirs is in the kernel")
	run(t, "ovs-dpctl", "del-dp", "theirs")
	checks(t, system, "")
}

// Without tunnels pods would run, and be cut off from those on other nodes.
func TestCheckNodeRefusesWithoutTunnels(t *testing.T) {
	t.Run("ProgramHasThePort", func(t *testing.T) {
		conn, err := net.ListenPacket("udp4", ":6081")
		if err != nil {
			t.Fatal(err)
		}
		checks(t, system, "TunnelPortTaken a program has UDP port 6081, Geneve's: 0.0.0.0:6081")
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		checks(t, system, "")
	})
	t.Run("PluginHasThePort", func(t *testing.T) {
		run(t, "ip", "link", "add", "cilium_geneve", "type", "geneve", "external", "dstport", "6081")
		checks(t, system, "TunnelPortTaken another Geneve device has UDP port 6081: cilium_geneve")
		run(t, "ip", "link", "delete", "cilium_geneve")
		checks(t, system, "")
	})
	t.Run("LeftByAKilledCheck", func(t *testing.T) {
		run(t, "ip", "link", "add", "l2sm-check", "type", "geneve", "external", "dstport", "6081")
		checks(t, system, "")
	})
}

// TestCheckNodeRefusesWithoutModule is the last: it keeps the kernel from loading the
// module again.
func TestCheckNodeRefusesWithoutModule(t *testing.T) {
	for module, want := range map[string]string{
		"geneve":      "NoKernelModule the kernel has no module geneve",
		"openvswitch": "NoKernelModule the kernel has no module openvswitch",
	} {
		t.Run(module, func(t *testing.T) {
			rule := filepath.Join("/etc/modprobe.d", "test.conf")
			if err := os.WriteFile(rule, fmt.Appendf(nil, "install %s /bin/false\n", module), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Remove(rule) })
			run(t, "modprobe", "--remove", "--ignore-install", module)
			checks(t, system, want)
		})
	}
}

// otherOpenVSwitchInKernel runs somebody else's with a bridge and a port in the
// kernel's datapath, until stop.
func otherOpenVSwitchInKernel(t *testing.T, folder, bridge, port string) (stop func()) {
	t.Helper()
	g := NewWithT(t)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	database, socket := filepath.Join(t.TempDir(), "conf.db"), filepath.Join(folder, "db.sock")
	run(t, "ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
	endServer := background(t, folder, "ovsdb-server", database, "--remote=punix:"+socket)
	endSwitch := background(t, folder, "ovs-vswitchd", "unix:"+socket)
	run(t, "ovs-vsctl", "--retry", "--timeout=20", "--db=unix:"+socket, "add-br", bridge,
		"--", "add-port", bridge, port, "--", "set", "Interface", port, "type=internal")
	g.Expect(run(t, "ovs-dpctl", "show")).To(ContainSubstring(port))
	return func() { endSwitch(); endServer() }
}
