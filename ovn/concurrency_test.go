package ovn_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func TestApplyThousandPorts(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	want := network("ping", ports(1000)...)

	apply(t, client, want)

	if diff := cmp.Diff(names(want.Ports...), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	if got := server.Commits(); got != 1 {
		t.Errorf("commits: want 1, got %d", got)
	}
}

func TestApplyDifferentNetworksAtOnce(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)

	var want []string
	var all sync.WaitGroup
	for i := range 20 {
		n := network(fmt.Sprintf("net-%d", i), port(10*i), port(10*i+1))
		want = append(want, n.Switch())
		all.Go(func() {
			for range 3 {
				apply(t, client, n)
				n.Ports = append(n.Ports, port(10*i+len(n.Ports)))
			}
		})
	}
	all.Wait()

	slices.Sort(want)
	if diff := cmp.Diff(want, switches(server)); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
	for i := range 20 {
		want := names(port(10*i), port(10*i+1), port(10*i+2), port(10*i+3))
		if diff := cmp.Diff(want, portsOn(server, fmt.Sprintf("l2sm/default/net-%d", i))); diff != "" {
			t.Errorf("ports of net-%d (-want +got):\n%s", i, diff)
		}
	}
}

// Two controllers may both believe that they lead. The schema lets them create
// two switches of one name; a switch's UUID, which follows from its network,
// does not.
func TestApplySameNetworkByTwoClients(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	clients := []*ovn.Client{dial(t, server), dial(t, server), dial(t, server)}
	for _, c := range clients {
		awaitConnected(t, c)
	}

	for round := range 20 {
		n := network(fmt.Sprintf("net-%d", round), port(10*round), port(10*round+1))
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(func() { apply(t, c, n) })
		}
		all.Wait()
	}

	if got := switches(server); len(got) != 20 {
		t.Errorf("want 20 switches, got %d: %v", len(got), got)
	}
}

// A writer of another version may choose another UUID. Then there are two
// switches, which are found and become one that has all ports.
func TestSwitchCreatedTwice(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	want := network("ping", port(1), port(2), port(3), port(4))
	apply(t, client, network("ping", port(1), port(2)))
	awaitChange(t, client, ovn.Change{All: true})

	server.Ctl("--id=@p", "create", "Logical_Switch_Port", `name="`+port(3).Name+`"`, `external_ids:"l2sm.io/network"="default/ping"`, "--",
		"create", "Logical_Switch", `name="l2sm/default/ping"`, `external_ids:"l2sm.io/network"="default/ping"`, "ports=@p")
	row := server.Get("Logical_Switch_Port", port(3).Name, "_uuid")
	awaitChange(t, client, ovn.Change{Key: want.Key})
	applyPorts(t, client, changesOf(network("ping"), port(4))) // which must leave the port on the second switch alone

	if diff := cmp.Diff(ovn.Result{Committed: true, Moved: names(port(3))}, apply(t, client, want)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names(want.Ports...), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports on the only switch (-want +got):\n%s", diff)
	}
	if got := server.Get("Logical_Switch_Port", port(3).Name, "_uuid"); got != row {
		t.Errorf("row of the port: was %s, is %s", row, got)
	}
}

// Ports that are sent to and fro between networks by several clients at once
// are always on one switch, and the last word holds.
func TestMovesByTwoClients(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	a, b := dial(t, server), dial(t, server)
	moving := ports(20)
	apply(t, a, network("here"))
	apply(t, a, network("there"))

	for range 20 {
		var all sync.WaitGroup
		all.Go(func() { tryApply(a, network("here", moving...)) })
		all.Go(func() { tryApply(b, network("there", moving...)) })
		all.Wait()

		if both := append(portsOn(server, "l2sm/default/here"), portsOn(server, "l2sm/default/there")...); len(both) != len(moving) {
			t.Fatalf("want %d ports on both switches, got %d: %v", len(moving), len(both), both)
		}
	}

	apply(t, a, network("there", moving...))
	if diff := cmp.Diff(names(moving...), portsOn(server, "l2sm/default/there")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

// tryApply applies a network that another client applies otherwise, so that it
// may lose.
func tryApply(c *ovn.Client, n ovn.Network) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, _ = c.Apply(ctx, n)
}
