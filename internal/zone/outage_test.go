//go:build integration

package zone_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
)

// bearable is how long pods may be cut off by what writes everything again.
const bearable = 3 * time.Second

// A writer that is started again writes nothing.
func TestWriterRestarts(t *testing.T) {
	w := start(t, "node-a", "node-b")
	one := w.network("one")
	a, b := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug()
	w.reaches(a, b)
	n := w.zones["node-a"]
	pings := a.stream(b.v4)
	nb, sb := n.Commits("nb"), n.Commits("sb")
	n.stop()
	n.write(500 * time.Millisecond)        // its databases are there first
	c := w.attach(one, "node-b", 3).plug() // once it is reached, the writer has done all it does
	w.reaches(a, c)
	if got := n.Commits("nb"); got != nb+1 {
		t.Errorf("a restarted writer has committed %d transactions, want the one of the new port", got-nb)
	}
	if got := n.Commits("sb"); got != sb {
		t.Errorf("a restarted writer has committed %d transactions to the southbound database, want none", got-sb)
	}
	// Nothing was written, so what is lost is lost on a busy machine.
	if _, outage := pings.end("writer restarted"); outage > nstest.Patience(500*time.Millisecond) {
		t.Errorf("cut off for %s", outage)
	}
}

// A port that moves is on one network in each zone, and reaches what is on the new
// one soon.
func TestMove(t *testing.T) {
	w := start(t, "node-a", "node-b")
	red, green := w.network("red"), w.network("green")
	a := w.attach(red, "node-a", 1).plug()
	// The same address on both: the pod is answered before and after.
	b := w.attach(red, "node-b", 2).plug()
	w.attachAs("other", green, "node-b", 2).plug()
	w.reaches(a, b)
	for range 3 {
		pings := a.stream(b.v4)
		w.put(a, green)
		_, outage := pings.end("moved to another network")
		if outage > bearable {
			t.Errorf("cut off for %s", outage)
		}
		red, green = green, red
	}
	g := gomega.NewWithT(t)
	for _, n := range w.zones {
		g.Eventually(func() string {
			return n.NB("--bare", "--columns=name", "find", "Logical_Switch_Port", "name=\""+a.PortName()+"\"")
		}, patience, "20ms").
			Should(gomega.Equal(a.PortName()), n.Name)
	}
	g.Eventually(w.zones["node-a"].switches, patience, "20ms").Should(gomega.HaveLen(1), "node-a has left the other network")
}

// A zone whose databases are wiped is written again from memory.
func TestWipedDatabase(t *testing.T) {
	w := start(t, "node-a", "node-b")
	one := w.network("one")
	a, b := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug()
	w.reaches(a, b)
	for _, name := range []string{"nb", "sb"} {
		pings := a.stream(b.v4)
		w.zones["node-a"].WipeDatabase(name)
		gomega.NewWithT(t).Eventually(w.zones["node-a"].chassis, patience, "20ms").Should(gomega.ConsistOf("node-a", "node-b"))
		gomega.NewWithT(t).Eventually(w.zones["node-a"].portNames, patience, "20ms").
			Should(gomega.And(gomega.ContainSubstring(a.PortName()), gomega.ContainSubstring(b.PortName())))
		w.reaches(a, b)
		if _, outage := pings.end("database " + name + " wiped"); outage > bearable {
			t.Errorf("database %s wiped: cut off for %s", name, outage)
		}
	}
}
