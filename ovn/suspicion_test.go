package ovn

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/ovn/nb"
	"l2sm.io/l2sm/ovn/ovntest"
)

// A difference that was found while a write began is neither reported, since
// the write may be what it is, nor lost, since the write may be of other ports.
func TestConfirm(t *testing.T) {
	c := newChanges()
	n := expectedNetwork("a", "1")
	c.expect(n)()
	x := c.expected.networks[n.Key]
	found, version := suspicion{ports: map[string]string{"uuid": "1"}}, x.version

	if !c.confirm(n.Key, found, x, version) {
		t.Error("not confirmed though nothing has begun")
	}
	c.expectPorts(PortChanges{Network: expectedNetwork("a"), Set: []Port{{Name: "2"}}})
	if c.confirm(n.Key, found, x, version) {
		t.Error("confirmed though a write has begun")
	}
	if diff := cmp.Diff(found.ports, c.suspects[n.Key].ports); diff != "" {
		t.Errorf("ports to be looked at again (-want +got):\n%s", diff)
	}
	if _, _, ok := c.next(); ok {
		t.Error("they are looked at while it is under way")
	}
}

// While a port is moved, the network that it leaves is not looked at either.
func TestMovesConcernBothNetworks(t *testing.T) {
	c := newChanges()
	from, to := expectedNetwork("from", "1"), expectedNetwork("to")
	c.expect(from)()
	c.suspect(from.Key, suspicion{})

	done := c.expectPorts(PortChanges{Network: to, Set: from.Ports})
	if _, _, ok := c.next(); ok {
		t.Error("a network is looked at while its port is taken away")
	}
	done()
	if change, _, _ := c.next(); change.Key != from.Key {
		t.Errorf("looked at once the port is gone: %+v", change)
	}
}

// A row that is ours has the UUID that follows from its network, also when it
// has come since nobody found it; one that has become somebody else's leaves
// that UUID to him.
func TestIdentity(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dialServer(t, server)
	n := benchmarkNetwork(1)
	mustApply(t, client, n)
	s, err := client.conn.wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	r := replicaOf(s)
	ours := server.Get("Logical_Switch", n.Switch(), "_uuid")
	if got := r.identity(nb.LogicalSwitchTable, n.Key, ""); got != ours {
		t.Errorf("UUID of a switch that has just come: want %s, got %s", ours, got)
	}

	<-client.Changes() // of the connection
	server.Ctl("set", "Logical_Switch", n.Switch(), "name=theirs", "external_ids={}")
	select {
	case <-client.Changes():
	case <-time.After(10 * time.Second):
		t.Fatal("no change")
	}
	if got := r.identity(nb.LogicalSwitchTable, n.Key, ""); got == ours {
		t.Errorf("UUID for a switch is somebody else's: %s", got)
	}
	mustApply(t, client, n)
	if got := server.Get("Logical_Switch", "theirs", "_uuid"); got != ours {
		t.Errorf("their switch: want %s, got %s", ours, got)
	}
	if got := server.Get("Logical_Switch", n.Switch(), "_uuid"); got == ours {
		t.Errorf("our switch has their UUID")
	}
}

// A write that begins after a network was taken to be looked at is waited for
// like any other.
func TestWritesUnderWayAreNoDifference(t *testing.T) {
	client := dialServer(t, ovntest.NewNorthbound(t))
	n := benchmarkNetwork(1)
	mustApply(t, client, n)

	done := client.changes.forget(n.Key)
	if client.changes.differs(client.conn, n.Key, suspicion{}) {
		t.Error("a network that is being deleted differs")
	}
	if client.changes.pending() == 0 {
		t.Error("it is not looked at again")
	}
	done()
}
