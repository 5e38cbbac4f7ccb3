//go:build integration

package central_test

import (
	"testing"
	"time"
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
	if c.connects(clients["Node"], nodesPort) {
		t.Error("a node gets in before the database is filled")
	}
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
	c.launch("sb", "/bin/bash", "/scripts/ovsdb.sh", "sb")
	c.eventually(func() bool { return in(after) && in(before) }, "both are trusted by a server that was killed")
	session = c.stay(before)

	c.trust(next)
	c.eventually(func() bool { return !in(before) }, "the first authority is no longer trusted")
	c.eventually(session.ended, "who came with the first one's certificate is cut off")
	c.eventually(func() bool { return in(after) }, "the second stays")
}
