// Package node makes nodes of a Kubernetes cluster out of namespaces, and runs the pods of l2sm's DaemonSets on them as the
// manifests describe them: their scripts and commands, environment, volumes, capabilities, order of start and end. It
// stands in for the kubelet and the container runtime, which take minutes under a translated kernel. A node's files and
// processes are gone when the machine is: this is for a virtual one.
package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Node is a network namespace with a NIC on the underlay, and a folder for the files of its host.
type Node struct {
	Name string
	// IPs are its InternalIPs.
	IPs []string

	dir string
}

// Underlay is what all nodes are connected to: a bridge in the machine's namespace, which is their way out as well.
type Underlay struct {
	MTU int
	// Gateways with their prefix lengths, which the bridge holds.
	Gateways []string
}

const bridge = "underlay"

// Create makes the bridge, and has the machine forward for the nodes.
func (u Underlay) Create(ctx context.Context) error {
	script := fmt.Sprintf("ip link add %s type bridge\nip link set %s mtu %d up\n", bridge, bridge, u.MTU)
	for _, g := range u.Gateways {
		script += fmt.Sprintf("ip address add %s dev %s nodad\n", g, bridge)
	}
	script += "sysctl -qw net.ipv4.ip_forward=1\n" +
		"nft add table ip machine\n" +
		"nft add chain ip machine out '{ type nat hook postrouting priority srcnat; }'\n" +
		"nft add rule ip machine out oifname eth0 masquerade\n"
	return shell(ctx, script)
}

// New makes a node whose NIC has the addresses, with prefix lengths, in their order: the first of a family is the primary
// one. ips are its InternalIPs.
func (u Underlay) New(ctx context.Context, name string, ips []string, addresses ...string) (*Node, error) {
	n := &Node{Name: name, IPs: ips, dir: filepath.Join("/run/nodes", name)}
	script := fmt.Sprintf(`ip netns add %[1]s
ip link add nic-%[1]s mtu %[3]d master %[2]s type veth peer name eth0 mtu %[3]d netns %[1]s
ip link set nic-%[1]s up
ip -n %[1]s link set lo up
ip -n %[1]s link set eth0 up
mkdir -p %[4]s
`, name, bridge, u.MTU, n.dir)
	for _, a := range addresses {
		script += fmt.Sprintf("ip -n %s address add %s dev eth0 %s\n", name, a, map[bool]string{true: "nodad"}[strings.Contains(a, ":")])
	}
	for _, g := range u.Gateways {
		gateway, _, _ := strings.Cut(g, "/")
		script += fmt.Sprintf("ip -n %s route add default via %s\n", name, gateway)
	}
	return n, shell(ctx, script)
}

// HostFile is where a file of the node's host is on this machine.
func (n *Node) HostFile(path string) string {
	for _, shared := range []string{"/proc/", "/dev/", "/run/netns"} {
		if strings.HasPrefix(path, shared) {
			return path
		}
	}
	return filepath.Join(n.dir, "host", path)
}

// Command runs in the node's network namespace.
func (n *Node) Command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + n.Name}, args...)...)
}

// LoseRuntime loses what a reboot takes from a node: /run, every link but the NIC, and the kernel's datapath.
func (n *Node) LoseRuntime(ctx context.Context) error {
	if err := os.RemoveAll(n.HostFile("/run")); err != nil {
		return err
	}
	out, err := n.Command(ctx, "sh", "-c", `ovs-dpctl del-dp ovs-system
for link in $(ip -o link | awk -F': ' '{sub("@.*", "", $2); print $2}'); do
  case $link in lo | eth0) ;; *) ip link delete "$link" 2>/dev/null || true ;; esac
done`).CombinedOutput()
	if err != nil {
		return fmt.Errorf("lose the runtime of %s: %w: %s", n.Name, err, out)
	}
	return nil
}

func shell(ctx context.Context, script string) error {
	out, err := exec.CommandContext(ctx, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s\n%s", err, out, script)
	}
	return nil
}
