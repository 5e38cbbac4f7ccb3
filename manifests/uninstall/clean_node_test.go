//go:build integration

package uninstall_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/ovn/ovntest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// node is a network namespace, the test's own, and the folders of a node.
type node struct {
	t    *testing.T
	root string
}

// run runs programs of the node, one a line.
func (n *node) run(commands string) {
	n.t.Helper()
	for command := range strings.Lines(commands) {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			n.t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
}

func (n *node) clean(settings ...string) (string, error) {
	cmd := exec.Command("bash", "clean-node.sh")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOST=" + n.root, "NODE_NAME=node-a"}, settings...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (n *node) links() []string {
	n.t.Helper()
	all, err := netlink.LinkList()
	if err != nil {
		n.t.Fatal(err)
	}
	var names []string
	for _, l := range all {
		names = append(names, l.Attrs().Name)
	}
	slices.Sort(names)
	return names
}

func (n *node) tables() string {
	n.t.Helper()
	out, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (n *node) file(name, text string) {
	n.t.Helper()
	path := filepath.Join(n.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		n.t.Fatal(err)
	}
}

// files are all, below the root.
func (n *node) files() []string {
	n.t.Helper()
	var all []string
	err := filepath.WalkDir(n.root, func(path string, _ os.DirEntry, err error) error {
		all = append(all, strings.TrimPrefix(path, n.root))
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return all
}

func newNode(t *testing.T) *node {
	n := &node{t: t, root: t.TempDir()}
	n.file("run/other/socket", "")
	n.file("var/lib/kubelet/x", "")
	n.file("opt/cni/bin/bridge", "")
	n.run(`ip link add eth1 type veth peer name fabric
		ip link set fabric up
		ip link add eth2 type veth peer name wan
		ip link set wan up
		ip link set eth2 up
		ip address add 203.0.113.1/24 dev eth2
		ip link set eth1 up
		ip address add 192.0.2.1/24 dev eth1
		ip address add 2001:db8::1/64 dev eth1 nodad
		ip route add 198.51.100.0/24 via 192.0.2.9 dev eth1
		ip link add veth-pod type veth peer name veth-peer
		nft add table inet cluster`)
	t.Cleanup(func() {
		n.run(`nft flush ruleset
			ip link delete eth1
			ip link delete eth2
			ip link delete veth-pod`)
	})
	return n
}

// state is what a node has.
func (n *node) state() map[string]any {
	routes, err := exec.Command("ip", "-4", "route", "show", "dev", "eth1").Output()
	if err != nil {
		n.t.Fatal(err)
	}
	var holds []string
	for _, nic := range []string{"eth1", "eth2"} {
		addresses, err := exec.Command("ip", "-oneline", "address", "show", "dev", nic, "scope", "global").Output()
		if err != nil {
			n.t.Fatal(err)
		}
		for line := range strings.Lines(string(addresses)) {
			holds = append(holds, strings.Fields(line)[1]+" "+strings.Fields(line)[3])
		}
	}
	return map[string]any{"links": n.links(), "tables": n.tables(), "files": n.files(), "routes": string(routes), "addresses": holds, "promiscuous": n.promiscuous()}
}

func (n *node) promiscuous() bool {
	n.t.Helper()
	eth1, err := netlink.LinkByName("eth1")
	if err != nil {
		n.t.Fatal(err)
	}
	return eth1.Attrs().Promisc > 0
}

// install does to the node what l2sm's pods do, as far as it outlives them.
func (n *node) install() {
	n.t.Helper()
	for _, name := range []string{"var/lib/l2sm/openvswitch/conf.db", "run/openvswitch/ovsdb-server.pid", "run/l2sm/cni.sock", "opt/cni/bin/l2sm"} {
		n.file(name, "")
	}
	// br-ext.sh's record, of eth1 as it was.
	n.file("run/openvswitch/br-ext.ip", "address replace 192.0.2.1/24 dev br-ext\naddress replace 2001:db8::1/64 dev br-ext\nroute replace 198.51.100.0/24 via 192.0.2.9 dev br-ext\n")
	n.file("run/openvswitch/br-wan.ip", "address replace 203.0.113.1/24 dev br-wan\n")
	n.run(`ip tuntap add dev br-ext mode tap
		ip link set br-ext up
		ip tuntap add dev ovs-netdev mode tap
		ip tuntap add dev br-wan mode tap
		ip link set br-wan up
		ip tuntap add dev br-edge mode tap
		ip tuntap add dev br-edge-wg mode tap
		ip tuntap add dev l2sm-wg mode tap
		ip link add vxlan_sys_4789 type vxlan external dstport 4789
		ip address flush dev eth2 scope global
		ip address add 203.0.113.1/24 dev br-wan
		ip link set eth1 promisc on
		ip address flush dev eth1 scope global
		ip address add 192.0.2.1/24 dev br-ext
		ip address add 2001:db8::1/64 dev br-ext nodad
		ip route add 198.51.100.0/24 via 192.0.2.9 dev br-ext
		nft add table inet l2sm-underlay
		nft add table netdev l2sm
		nft add table netdev l2sm-wan
		nft add table inet l2sm-wireguard`)
	end := link.HostEnd{Name: link.HostName("c1", "net1"), Owner: link.Owner{Container: "c1", IfName: "net1", Config: "l2sm"}}
	pod := link.Interface{Name: "net1", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, MTU: 1400}
	if err := link.New("/proc/sys").Create(end, nstest.NewNS(n.t), pod, link.Userspace); err != nil {
		n.t.Fatal(err)
	}
}

func TestCleanNode(t *testing.T) {
	n := newNode(t)
	before := n.state()
	n.install()
	for range 2 {
		if out, err := n.clean("TUNNEL_INTERFACE=eth1", "EDGE_INTERFACE=eth2"); err != nil {
			t.Fatalf("clean-node.sh: %v\n%s", err, out)
		}
		if diff := cmp.Diff(before, n.state()); diff != "" {
			t.Errorf("the node is not as it was (-before +after):\n%s", diff)
		}
	}
}

func TestCleanNodeKeepsThePlugin(t *testing.T) {
	n := newNode(t)
	n.install()
	if out, err := n.clean("TUNNEL_INTERFACE=eth1", "KEEP_PLUGIN=true"); err != nil {
		t.Fatalf("clean-node.sh: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(n.root, "opt/cni/bin/l2sm")); err != nil {
		t.Errorf("pods that have interfaces can't end: %v", err)
	}
}

// A node that ovn-node's checks refused, since another Open vSwitch runs there.
func TestCleanNodeLeavesAnotherOpenVSwitchAlone(t *testing.T) {
	n := newNode(t)
	n.file("run/openvswitch/db.sock", "")
	n.run("ip link add br-int type veth peer name br-peer")
	t.Cleanup(func() { n.run("ip link delete br-int") })
	before := n.state()
	n.file("run/l2sm/cni.sock", "")
	n.file("opt/cni/bin/l2sm", "")
	if err := os.MkdirAll(filepath.Join(n.root, "var/lib/l2sm/openvswitch"), 0o700); err != nil { // the kubelet makes it
		t.Fatal(err)
	}
	if out, err := n.clean("TUNNEL_INTERFACE=eth1"); err != nil {
		t.Fatalf("clean-node.sh: %v\n%s", err, out)
	}
	if diff := cmp.Diff(before, n.state()); diff != "" {
		t.Errorf("what is not l2sm's is gone, or something is left (-before +after):\n%s", diff)
	}
}

// A node whose OVN and Open vSwitch are OVN-Kubernetes': of its databases it gives back what is ours, where the agent did
// not come to it, and nothing else.
func TestCleanNodeOfOVNKubernetes(t *testing.T) {
	northbound, switches := ovntest.NewNorthbound(t), ovstest.Start(t)
	n := newNode(t)
	if err := os.MkdirAll(filepath.Join(n.root, "run/openvswitch"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, endpoint := range map[string]string{"ovnnb_db.sock": northbound.Endpoint(), "db.sock": switches.Endpoint()} {
		if err := os.Symlink(strings.TrimPrefix(endpoint, "unix:"), filepath.Join(n.root, "run/openvswitch", name)); err != nil {
			t.Fatal(err)
		}
	}
	northbound.Ctl("ls-add", "n1")
	northbound.Ctl("lsp-add", "n1", "default_pod")
	northbound.Ctl("create", "DHCP_Options", "cidr=192.0.2.0/24", "external_ids:owner=ovn-kubernetes")
	switches.Ctl("--no-wait", "add-port", "br-int", "theirs", "--", "set", "Interface", "theirs", "external_ids:iface-id=default_pod")
	rows := func() map[string]string {
		return map[string]string{
			"switches": northbound.Ctl("--bare", "--columns=name", "list", "Logical_Switch"), "ports": northbound.Ctl("--bare", "--columns=name", "list", "Logical_Switch_Port"),
			"options": northbound.Ctl("--bare", "--columns=cidr", "list", "DHCP_Options"), "interfaces": switches.Ctl("list-ports", "br-int"),
		}
	}
	before, state := rows(), n.state()
	northbound.Ctl("ls-add", "l2sm/default/net", "--", "set", "Logical_Switch", "l2sm/default/net", `external_ids:"l2sm.io/network"=default/net`)
	northbound.Ctl("lsp-add", "l2sm/default/net", "l2sm/default/pod")
	northbound.Ctl("create", "DHCP_Options", "cidr=198.51.100.0/24", `external_ids:"l2sm.io/network"=default/net`)
	switches.Ctl("--no-wait", "add-port", "br-int", "l2p1", "--", "set", "Interface", "l2p1", `external_ids:"l2sm.io/attachment"=default/pod`)
	n.file("run/l2sm/cni.sock", "")

	for range 2 {
		if out, err := n.clean("NB_ENDPOINTS=unix:/run/openvswitch/ovnnb_db.sock"); err != nil {
			t.Fatalf("clean-node.sh: %v\n%s", err, out)
		}
		if diff := cmp.Diff(before, rows()); diff != "" {
			t.Errorf("OVN-Kubernetes' databases are not as they were (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(state, n.state()); diff != "" {
			t.Errorf("the node is not as it was (-before +after):\n%s", diff)
		}
	}
}
