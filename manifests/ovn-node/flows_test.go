//go:build integration

package ovnnode_test

import (
	"os/exec"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// A killed ovs-vswitchd is there again without the kubelet, and without its
// container being started again.
func TestKilledSwitchIsStartedAgain(t *testing.T) {
	g := NewWithT(t)
	node := startSwitch(t)
	t.Log("a process that dies soon after its start is the kubelet's to start: wait until it has lived for 5 s")
	g.Eventually(func() string { return run(t, "ps", "-o", "etimes=", switchDaemon(t)) }, patience, "100ms").Should(MatchRegexp(`^ *[6-9]`))
	before := switchDaemon(t)
	run(t, "kill", "-9", before)
	g.Eventually(func() string { return switchDaemon(t) }, patience, "50ms").ShouldNot(Or(BeEmpty(), Equal(before)))
	g.Eventually(answers, patience, "50ms").Should(Succeed())
	g.Expect(node.ended).NotTo(BeClosed())
}

// One that does not stay up is left to the kubelet, which waits longer each time.
func TestSwitchThatDoesNotStayUp(t *testing.T) {
	node := startSwitch(t)
	run(t, "kill", "-9", switchDaemon(t))
	NewWithT(t).Eventually(node.ended, patience).Should(BeClosed())
}

// A switch that was stopped in order has its flows back when it is started: pods'
// traffic does not wait for ovn-controller.
func TestFlowsOutliveAnOrderlyRestart(t *testing.T) {
	g := NewWithT(t)
	node := startSwitch(t)
	run(t, "ovs-ofctl", "add-flow", "br-int", "table=7,priority=77,actions=drop")
	node.stop(t)
	g.Expect(answers()).NotTo(Succeed())

	node = start(t, "ovs-vswitchd.sh", nil)
	g.Eventually(flows, patience, "50ms").Should(ContainSubstring("priority=77"))
	node.stop(t)

	t.Log("a pod's port has another number: the flows would lead to another pod")
	run(t, "ovs-vsctl", "--no-wait", "set", "Interface", "pod1", "ofport_request=9")
	start(t, "ovs-vswitchd.sh", nil)
	g.Eventually(answers, patience, "50ms").Should(Succeed())
	g.Eventually(func() string { return run(t, "ls", "/run/openvswitch") }, patience, "50ms").ShouldNot(ContainSubstring("br-int.saved"))
	g.Expect(flows()).NotTo(ContainSubstring("priority=77"))
}

// An edge's interface is under a bridge of its own, which has its address, each time
// that the switch starts; the switch starts also where it has none.
func TestEdgeInterface(t *testing.T) {
	g := NewWithT(t)
	edge := map[string]string{"EDGE_INTERFACE": "eth2"}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "delete", "br-wan").Run()
		run(t, "ip", "address", "replace", "203.0.113.10/24", "dev", "eth2")
	})
	node := startSwitchWith(t, edge)
	holds := func(device string) string {
		return run(t, "ip", "-oneline", "address", "show", "dev", device, "scope", "global")
	}
	g.Expect(holds("br-wan")).To(ContainSubstring(" 203.0.113.10/24 "))
	g.Expect(holds("eth2")).To(BeEmpty())
	g.Expect(run(t, "ovs-vsctl", "list-ports", "br-wan")).To(Equal("eth2\n"))
	g.Expect(holds("br-ext")).To(ContainSubstring(" 198.51.100.10/24 "))
	// What leaves by the bridge leaves by the interface, and the kernel does not answer beside it.
	g.Expect(run(t, "ovs-appctl", "ovs/route/lookup", "203.0.113.99")).To(ContainSubstring("br-wan"))
	g.Expect(run(t, "nft", "list", "tables")).To(And(ContainSubstring("netdev l2sm\n"), ContainSubstring("netdev l2sm-wan\n")))

	node.stop(t)
	node = start(t, "ovs-vswitchd.sh", edge)
	g.Eventually(answers, patience, "50ms").Should(Succeed())
	g.Expect(holds("br-wan")).To(ContainSubstring(" 203.0.113.10/24 "))
	node.stop(t)

	run(t, "rm", "/run/openvswitch/br-wan.ip")
	run(t, "ip", "address", "flush", "dev", "br-wan", "scope", "global")
	node = start(t, "ovs-vswitchd.sh", edge)
	g.Eventually(answers, patience, "50ms").Should(Succeed())
	g.Expect(node.output.String()).To(ContainSubstring("go on without eth2"))
}

// startSwitch starts the node's switch with br-int and a pod's port.
func startSwitch(t *testing.T) *daemon {
	t.Helper()
	return startSwitchWith(t, nil)
}

func startSwitchWith(t *testing.T, changes map[string]string) *daemon {
	t.Helper()
	run(t, "sh", "-c", "rm -rf /var/lib/l2sm/openvswitch/* /run/openvswitch/*")
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "delete", "br-ext").Run()
		run(t, "ip", "address", "replace", "198.51.100.10/24", "dev", "eth1")
	})
	start(t, "ovsdb-server.sh", nil)
	node := start(t, "ovs-vswitchd.sh", changes)
	run(t, "ovs-vsctl", "--retry", "--timeout=20", "add-br", "br-int",
		"--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure",
		"--", "add-port", "br-int", "pod1", "--", "set", "Interface", "pod1", "type=internal")
	NewWithT(t).Eventually(answers, patience, "50ms").Should(Succeed())
	return node
}

func answers() error { return exec.Command("ovs-ofctl", "--timeout=5", "show", "br-int").Run() }

func flows() string {
	out, _ := exec.Command("ovs-ofctl", "--timeout=5", "dump-flows", "br-int").Output()
	return string(out)
}

// switchDaemon is the process of ovs-vswitchd, without those that are dead and
// that nobody has waited for; empty if there is none.
func switchDaemon(t *testing.T) string {
	t.Helper()
	out, _ := exec.Command("pgrep", "--runstates", "R,S,D", "-x", "ovs-vswitchd").Output()
	return strings.TrimSpace(string(out))
}
