//go:build integration

package central_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const southbound = "OVN_Southbound"

// Who gets in at which door.
func TestDoorsOfTheDatabases(t *testing.T) {
	c := start(t)
	metrics, foreign := authority(t, "metrics"), authority(t, "foreign")
	endpoint, err := metrics.Endpoint("l2sm-agent", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	controlEndpoint, err := c.nodes.Endpoint("node-a", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]identity{
		"Node":         c.identity("node-a", c.nodes),
		"Controller":   c.identity("l2sm-controller", c.control),
		"Agent":        c.files("agent", endpoint),
		"ServerOfNode": c.files("server", controlEndpoint),
		"Foreign":      c.identity("node-b", foreign),
	}
	c.eventually(func() bool { return c.connects(clients["Controller"], northboundPort) }, "the controller reaches the northbound database")
	c.eventually(func() bool { return c.connects(clients["Controller"], relayPort) }, "the controller reaches the southbound database")
	c.trust(c.nodes)
	NewWithT(t).Consistently(func() bool { return c.connects(clients["Node"], nodesPort) }, time.Second, 50*time.Millisecond).
		Should(BeFalse(), "a node gets in before the database is filled")
	c.fill(c.nodes)
	c.eventually(func() bool { return c.connects(clients["Node"], nodesPort) }, "a node reaches the southbound database")

	in := map[string]map[string]bool{
		"Node":       {nodesPort: true},
		"Controller": {northboundPort: true, relayPort: true},
	}
	for name, client := range clients {
		for _, port := range []string{northboundPort, nodesPort, relayPort} {
			if got, want := c.connects(client, port), in[name][port]; got != want {
				t.Errorf("%s on port %s: let in %t, want %t", name, port, got, want)
			}
		}
	}
}

// A rotation: the former is trusted beside the new one, and then no longer.
func TestRotatedNodeAuthority(t *testing.T) {
	c := start(t)
	next := authority(t, "node") // of the same name
	before, after := c.identity("node-a", c.nodes), c.identity("node-b", next)
	in := func(as identity) bool { return c.connects(as, nodesPort) }
	c.fill(c.nodes)
	c.eventually(func() bool { return in(before) }, "the first authority is trusted")
	if in(after) {
		t.Error("an authority is trusted that was never told")
	}
	session := c.stay(before)

	c.trust(next, c.nodes)
	c.eventually(func() bool { return in(after) }, "the second authority is trusted")
	if !in(before) {
		t.Error("the first is no longer trusted while both are")
	}
	if session.ended() {
		t.Error("a connection ended though all that were trusted still are")
	}
	// The server is killed: it starts with what was trusted last.
	c.kill("sb")
	c.launchDatabase("sb")
	c.eventually(func() bool { return in(after) && in(before) }, "both are trusted by a server that was killed")
	session = c.stay(before)

	c.trust(next)
	c.eventually(func() bool { return !in(before) }, "the first authority is no longer trusted")
	c.eventually(session.ended, "who came with the first one's certificate is cut off")
	c.eventually(func() bool { return in(after) }, "the second stays")
}

// The northbound database loses its file: nodes are trusted as before until the
// controller says otherwise.
func TestTrustOutlivesNorthbound(t *testing.T) {
	c := start(t)
	node := c.identity("node-a", c.nodes)
	c.fill(c.nodes)
	c.eventually(func() bool { return c.connects(node, nodesPort) }, "a node is let in")
	session := c.stay(node)

	c.kill("nb")
	if err := os.Remove(filepath.Join(c.root, "var/lib/ovn/ovnnb_db.db")); err != nil {
		t.Fatal(err)
	}
	c.launchDatabase("nb")
	next := authority(t, "node")
	c.eventually(func() bool { return c.nb.Connected() }, "the controller is connected to an empty database")
	if session.ended() || !c.connects(node, nodesPort) {
		t.Error("an empty northbound database shuts nodes out")
	}
	c.fill(next)
	c.eventually(func() bool { return !c.connects(node, nodesPort) && session.ended() }, "what the controller says then is followed")
}

// A connection does not outlive its time, whatever its certificate was.
func TestConnectionsOfNodesEnd(t *testing.T) {
	c := start(t)
	node := c.identity("node-a", c.nodes)
	c.fill(c.nodes)
	c.eventually(func() bool { return c.connects(node, nodesPort) }, "a node is let in")
	c.kill("sb")
	c.session = 2 * time.Second
	c.launchDatabase("sb")
	c.eventually(func() bool { return c.connects(node, nodesPort) }, "a node is let in again")
	session := c.stay(node)
	c.eventually(session.ended, "its connection is ended")
	c.eventually(func() bool { return c.connects(node, nodesPort) }, "it may come back")
}

// The longest name that a node may have is its chassis', too, though X.509 has
// names of 64 letters.
func TestLongestNodeName(t *testing.T) {
	c := start(t)
	name := strings.Repeat(strings.Repeat("n", 62)+".", 4) + "n"
	c.fill(c.nodes)
	node := c.identity(name, c.nodes)
	c.eventually(func() bool { return c.connects(node, nodesPort) }, "it is let in")
	c.eventually(func() bool { return len(c.rows("RBAC_Role")) > 0 }, "northd has written the role")
	client, err := c.dial(node, nodesPort)
	if err != nil {
		t.Fatal(err)
	}
	c.succeed(client, chassis(name, "192.0.2.11")...)
}
