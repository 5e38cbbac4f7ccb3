//go:build integration

package zone_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/link/nstest"
)

// Pods of three nodes reach each other, by either family and by multicast, by the
// same keys everywhere, and what a pod may not send passes no zone.
func TestZonesReachEachOther(t *testing.T) {
	w := start(t, "node-a", "node-b", "node-c")
	one := w.network("one")
	a, b, c := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug(), w.attach(one, "node-c", 3).plug()
	w.reaches(a, b)
	w.reaches(b, c)
	w.reaches(c, a)
	g := gomega.NewWithT(t)
	g.Eventually(a.heardByAll, patience, "10ms").Should(gomega.ContainElements("fe80::858:aff:fe00:1", "fe80::858:aff:fe00:2", "fe80::858:aff:fe00:3"), "multicast reaches all")

	keys := w.zones["node-a"].keys(w.zones["node-a"].switches()[0])
	for _, n := range w.zones {
		if diff := cmp.Diff(keys, n.keys(n.switches()[0])); diff != "" || len(keys) != 4 {
			t.Errorf("keys in the southbound databases of node-a (-) and %s (+):\n%s", n.Name, diff)
		}
	}

	nstest.Do(t, a.netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		address, err := netlink.ParseAddr("10.0.0.99/24")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(inner, address)
	})
	if a.pings(b.v4, "-I", "10.0.0.99") {
		t.Error("an address that is not the pod's passes port security")
	}
	if !a.pings(b.v4, "-I", "10.0.0.1") {
		t.Error("the pod's own address must pass")
	}
}

// heardByAll are the link-local addresses that answer to all nodes' address.
func (e *endpoint) heardByAll() []string {
	t := e.node.world.t
	var out []byte
	nstest.Do(t, e.netns, func() error {
		out, _ = exec.Command("ping", "-n", "-w1", "-I", "net1", "ff02::1").Output() // the status says whether all came in time
		return nil
	})
	var all []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[2] == "from" {
			from, _, _ := strings.Cut(fields[3], "%")
			all = append(all, strings.TrimSuffix(from, ":"))
		}
	}
	return all
}

// keys are the tunnel keys of a switch and its ports in the zone's southbound
// database.
func (n *node) keys(sw string) map[string]string {
	datapath := n.SB("--bare", "--columns=_uuid", "find", "Datapath_Binding", fmt.Sprintf("external_ids:name=%q", sw))
	keys := map[string]string{"": n.SB("get", "Datapath_Binding", datapath, "tunnel_key")}
	for _, row := range strings.Fields(n.SB("--bare", "--columns=_uuid", "find", "Port_Binding", "datapath="+datapath)) {
		keys[n.SB("get", "Port_Binding", row, "logical_port")] = n.SB("get", "Port_Binding", row, "tunnel_key")
	}
	return keys
}

// What the API loses goes from the zones, and a pod that is made again on another
// node is there only.
func TestPortsFollow(t *testing.T) {
	w := start(t, "node-a", "node-b", "node-c")
	one := w.network("one")
	a, b := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug()
	w.reaches(a, b)

	b.Spec.NodeName, b.Spec.PodUID = "node-c", "next"
	if err := w.Update(t.Context(), b.L2Attachment); err != nil {
		t.Fatal(err)
	}
	moved := &endpoint{L2Attachment: b.L2Attachment, node: w.zones["node-c"], mac: b.mac, v4: b.v4, v6: b.v6}
	moved.plug()
	w.reaches(a, moved)
	g := gomega.NewWithT(t)
	g.Eventually(w.zones["node-b"].switches, patience, "10ms").Should(gomega.BeEmpty(), "node-b has no member any more")
	g.Eventually(w.zones["node-b"].chassis, patience, "10ms").Should(gomega.ConsistOf("node-b"), "nor tunnels to others")
	g.Eventually(w.zones["node-a"].chassis, patience, "10ms").Should(gomega.ConsistOf("node-a", "node-c"))
	g.Expect(w.zones["node-a"].binding(moved)).To(gomega.Equal("node-c"))

	if err := w.Delete(t.Context(), moved.L2Attachment); err != nil {
		t.Fatal(err)
	}
	g.Eventually(w.zones["node-a"].portNames, patience, "10ms").
		ShouldNot(gomega.ContainSubstring(moved.Name))
	g.Eventually(w.zones["node-a"].chassis, patience, "10ms").Should(gomega.ConsistOf("node-a"))
	if err := w.Delete(t.Context(), a.L2Attachment); err != nil {
		t.Fatal(err)
	}
	for _, n := range w.zones {
		g.Eventually(n.switches, patience, "10ms").Should(gomega.BeEmpty(), n.Name)
		g.Eventually(n.portNames, patience, "10ms").Should(gomega.BeEmpty(), n.Name)
	}
}

// chassis are those of the zone's southbound database.
func (n *node) chassis() []string {
	return strings.Fields(n.SB("--bare", "--columns=name", "list", "Chassis"))
}

// binding is the chassis that the zone has the port on.
func (n *node) binding(e *endpoint) string {
	chassis := n.SB("--bare", "--columns=chassis", "find", "Port_Binding", fmt.Sprintf("logical_port=%q", e.PortName()))
	if chassis == "" {
		return ""
	}
	return strings.Trim(n.SB("get", "Chassis", chassis, "name"), `"`)
}
