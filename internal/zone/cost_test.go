//go:build integration

package zone_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// A zone holds the networks that have a member on its node, and a writer that left
// one keeps nothing of it.
func TestZoneHoldsItsNetworksOnly(t *testing.T) {
	w := start(t, "node-a", "node-b")
	g := gomega.NewWithT(t)
	var networks []*v1alpha1.L2Network
	const all, mine = 20, 2
	for i := range all {
		n := w.network(fmt.Sprintf("net-%d", i))
		networks = append(networks, n)
		w.attach(n, "node-b", byte(i+1))
	}
	for i := range mine {
		w.attach(networks[i], "node-a", byte(100+i))
	}
	g.Eventually(w.zones["node-b"].switches, patience, "20ms").Should(gomega.HaveLen(all))
	g.Eventually(w.zones["node-a"].switches, patience, "20ms").Should(gomega.HaveLen(mine))
	fmt.Printf("%d networks, %d with a member on node-a: its northbound database holds %d switches\n", all, mine, len(w.zones["node-a"].switches()))

	before := runtime.NumGoroutine()
	for i := range all - mine {
		w.attach(networks[mine+i], "node-a", byte(150+i))
	}
	g.Eventually(w.zones["node-a"].switches, patience, "20ms").Should(gomega.HaveLen(all))
	for i := range all - mine {
		gone := &v1alpha1.L2Attachment{}
		gone.Namespace, gone.Name = w.namespace, fmt.Sprintf("pod-%d", 150+i)
		if err := w.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	g.Eventually(w.zones["node-a"].switches, patience, "20ms").Should(gomega.HaveLen(mine))
	g.Eventually(runtime.NumGoroutine, patience, "20ms").Should(gomega.BeNumerically("<=", before+4), "stopped watches leave nothing")
}

// A node that has not said where its tunnels start gets none, and gets one when it
// has.
func TestNodeWithoutTunnelAddress(t *testing.T) {
	w := start(t, "node-a", "node-b")
	w.tunnels("node-b")
	one := w.network("one")
	a, b := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug()
	g := gomega.NewWithT(t)
	g.Eventually(w.zones["node-a"].portNames, patience, "20ms").
		Should(gomega.ContainSubstring(b.PortName()), "its ports are there")
	g.Expect(w.zones["node-a"].chassis()).To(gomega.ConsistOf("node-a"))
	w.tunnels("node-b", "not an address", w.zones["node-b"].Address)
	w.reaches(a, b)
}
