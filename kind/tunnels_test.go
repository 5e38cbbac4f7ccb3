//go:build integration

package kind_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// engineNetwork is a container engine's: a bridge, on which nodes get addresses in the
// order in which they are started.
type engineNetwork struct {
	*testing.T
	bridge string
	next   int
}

func newEngineNetwork(t *testing.T) *engineNetwork {
	t.Helper()
	e := &engineNetwork{T: t, bridge: fmt.Sprintf("kind%d", os.Getpid())}
	e.ip("netns", "add", e.bridge)
	t.Cleanup(func() { e.ip("netns", "del", e.bridge) })
	e.ip("-n", e.bridge, "link", "add", "br0", "type", "bridge")
	e.ip("-n", e.bridge, "link", "set", "br0", "up")
	return e
}

func (e *engineNetwork) ip(args ...string) string {
	e.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		e.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (e *engineNetwork) namespace(node string) string { return e.bridge + "-" + node }

// start boots a node: it has eth0 and nothing else, and its unit runs.
func (e *engineNetwork) start(node string) {
	e.Helper()
	ns := e.namespace(node)
	e.ip("netns", "add", ns)
	e.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() }) // it is gone, if the test stopped the node
	e.ip("-n", e.bridge, "link", "add", "name", node, "type", "veth", "peer", "name", "eth0", "netns", ns)
	e.ip("-n", e.bridge, "link", "set", "dev", node, "master", "br0", "up")
	e.next++
	e.ip("-n", ns, "address", "add", fmt.Sprintf("172.18.0.%d/16", e.next+1), "dev", "eth0")
	e.ip("-n", ns, "link", "set", "eth0", "up")
	e.unit(node)
}

// unit is what the node's systemd starts.
func (e *engineNetwork) unit(node string) {
	e.Helper()
	e.ip("netns", "exec", e.namespace(node), "bash", "node/tunnels.sh")
}

func (e *engineNetwork) stop(node string) {
	e.Helper()
	e.ip("netns", "del", e.namespace(node))
	_ = exec.Command("ip", "-n", e.bridge, "link", "del", "dev", node).Run() // its peer's end takes it away, a little later
}

// tunnels is the node's address on eth1.
func (e *engineNetwork) tunnels(node string) string {
	e.Helper()
	fields := strings.Fields(e.ip("-n", e.namespace(node), "-4", "-oneline", "address", "show", "dev", "eth1"))
	if len(fields) < 4 {
		e.Fatalf("node %s has no address on eth1: %v", node, fields)
	}
	return strings.TrimSuffix(fields[3], "/16")
}

// reachable pings from each node to each other's address for tunnels, by eth1, until
// there is an answer: a link that was made just now loses what is sent at once.
func (e *engineNetwork) reachable(nodes ...string) {
	e.Helper()
	seen := map[string]string{}
	for _, to := range nodes {
		address := e.tunnels(to)
		if other, twice := seen[address]; twice {
			e.Errorf("nodes %s and %s both have %s", other, to, address)
		}
		seen[address] = to
		for _, from := range nodes {
			if from == to {
				continue
			}
			if out, err := exec.Command("ip", "netns", "exec", e.namespace(from), "ping", "-c", "1", "-w", "5", "-i", "0.2", "-I", "eth1", address).CombinedOutput(); err != nil {
				e.Errorf("%s does not reach %s at %s: %v\n%s", from, to, address, err, out)
			}
		}
	}
}

// Nodes have eth1 after each start, in whatever order, with the kernel's own
// bridge, veth and macvlan.
func TestTunnelsSurviveRestarts(t *testing.T) {
	e := newEngineNetwork(t)
	for round, order := range [][]string{{"a", "b", "c"}, {"c", "a", "b"}, {"b", "c", "a"}} {
		e.next = 0 // the engine's addresses are free again
		for _, node := range order {
			e.start(node)
		}
		e.reachable(order...)
		e.unit(order[0]) // once more, as by systemctl restart
		e.reachable(order...)
		if round == 0 {
			e.stop("b")
			e.start("b") // one node alone, at another address
			e.reachable(order...)
		}
		for _, node := range order {
			e.stop(node)
		}
	}
}

// The unit may run again while Open vSwitch has the address on br-ext.
func TestTunnelsUnderOpenVSwitch(t *testing.T) {
	e := newEngineNetwork(t)
	e.start("a")
	ns := e.namespace("a")
	e.ip("-n", ns, "address", "flush", "dev", "eth1")
	e.ip("-n", ns, "link", "add", "br-ext", "type", "bridge")
	e.unit("a")
	if out := e.ip("-n", ns, "-4", "-oneline", "address", "show", "dev", "eth1"); out != "" {
		t.Errorf("eth1 has an address beside br-ext: %s", out)
	}
}

func TestTunnelsNeedAnAddress(t *testing.T) {
	e := newEngineNetwork(t)
	e.start("a")
	e.ip("-n", e.namespace("a"), "address", "flush", "dev", "eth0")
	out, err := exec.Command("ip", "netns", "exec", e.namespace("a"), "bash", "node/tunnels.sh").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "eth0 has no IPv4 address") {
		t.Errorf("it says %q (%v)", out, err)
	}
}
