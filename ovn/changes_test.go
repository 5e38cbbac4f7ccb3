package ovn_test

import (
	"context"
	"testing"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// What the client does itself is no news. Changes come in the order of events,
// so the one change made by hand at the end shows that none came before it.
func TestOwnWritesAreNoChanges(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})

	apply(t, client, network("ping", ports(100)...))
	apply(t, client, network("ping", ports(50)...))
	apply(t, client, network("pong", port(200)))
	if err := client.Delete(context.Background(), network("ping").Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	server.Ctl("lsp-set-addresses", port(200).Name, "unknown")

	if got := awaitChange(t, client, ovn.Change{Key: network("pong").Key}); len(got) != 0 {
		t.Errorf("changes before the one made by hand: %+v", got)
	}
}

func TestChangesOfOthersNetworks(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client, other := dial(t, server), dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})

	apply(t, other, network("unheard-of"))

	awaitChange(t, client, ovn.Change{Key: network("unheard-of").Key})
}

// A consumer that is slow gets each network once, and the client does not wait
// for it.
func TestChangesCoalesce(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})
	apply(t, client, network("ping", port(1)))
	apply(t, client, network("pong", port(2)))

	for range 5 {
		server.Ctl("lsp-set-addresses", port(1).Name, "unknown")
		server.Ctl("lsp-set-addresses", port(1).Name, "router")
	}
	server.Ctl("lsp-set-addresses", port(2).Name, "unknown")

	// One was on its way while the others came in.
	got := awaitChange(t, client, ovn.Change{Key: network("pong").Key})
	if len(got) > 2 {
		t.Errorf("changes of the other network: %+v", got)
	}
}

// Changes of ports are no news either, nor is a move for the network that the
// port leaves.
func TestOwnPortChangesAreNoChanges(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})

	apply(t, client, network("ping", ports(10)...))
	apply(t, client, network("pong", port(200)))
	applyPorts(t, client, changesOf(network("ping"), port(11), port(12)))
	applyPorts(t, client, changesOf(network("pong"), ports(5)...))
	applyPorts(t, client, removing(network("ping"), port(5), port(11)))
	server.Ctl("lsp-set-addresses", port(200).Name, "unknown")

	if got := awaitChange(t, client, ovn.Change{Key: network("pong").Key}); len(got) != 0 {
		t.Errorf("changes before the one made by hand: %+v", got)
	}
}

// Each port is watched on behalf of the network that it was last set on.
func TestChangesOfSinglePorts(t *testing.T) {
	on := func(name string, p ovn.Port) []string {
		return []string{
			"--id=@p", "get", "Logical_Switch_Port", p.Name, "--", "add", "Logical_Switch", "l2sm/default/" + name, "ports", "@p",
		}
	}
	cases := map[string]struct {
		reason string
		edit   []string
		want   string
	}{
		"Edited":      {"a port set alone is edited", []string{"lsp-set-addresses", port(3).Name, "unknown"}, "ping"},
		"Type":        {"its type is", []string{"lsp-set-type", port(3).Name, "localnet"}, "ping"},
		"Options":     {"an option of others is added", []string{"lsp-set-options", port(3).Name, "qos_max_rate=1"}, "ping"},
		"Moved":       {"a moved port is edited", []string{"lsp-set-addresses", port(1).Name, "unknown"}, "pong"},
		"Deleted":     {"a moved port is deleted", []string{"lsp-del", port(1).Name}, "pong"},
		"Unlabelled":  {"a port is no longer ours", []string{"clear", "Logical_Switch_Port", port(3).Name, "external_ids"}, "ping"},
		"PutBack":     {"a moved port is put on its former switch as well", on("ping", port(1)), "ping"},
		"SetNoMore":   {"a port that was removed is there again", []string{"lsp-add", "l2sm/default/ping", port(4).Name, "--", "set", "Logical_Switch_Port", port(4).Name, `external_ids:"l2sm.io/network"="default/ping"`}, "ping"},
		"TunnelKey":   {"a switch gets a tunnel key", []string{"set", "Logical_Switch", "l2sm/default/ping", "other_config:requested-tnl-key=7"}, "ping"},
		"Tags":        {"a switch drops VLAN tags", []string{"remove", "Logical_Switch", "l2sm/default/ping", "other_config", "vlan-passthru"}, "ping"},
		"Unguarded":   {"its guard is removed", []string{"acl-del", "l2sm/default/ping", "from-lport", "32000", "udp.src == 67"}, "ping"},
		"Unpermitted": {"so is what a port may", []string{"acl-del", "l2sm/default/ping", "from-lport", "32001", `inport == "` + port(3).Name + `" && (1)`}, "ping"},
		"OtherSwitch": {"a second switch appears", []string{"create", "Logical_Switch", `external_ids:"l2sm.io/network"="default/ping"`}, "ping"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			client := dial(t, server)
			awaitChange(t, client, ovn.Change{All: true})
			apply(t, client, guarded(network("ping", port(1), port(2))))
			applyPorts(t, client, changesOf(network("pong"), port(1)))
			applyPorts(t, client, changesOf(guarded(network("ping")), permitted(port(3)), permitted(port(4))))
			applyPorts(t, client, removing(guarded(network("ping")), port(4)))

			server.Ctl(tc.edit...)

			if got := awaitChange(t, client, ovn.Change{Key: network(tc.want).Key}); len(got) != 0 {
				t.Errorf("%s: changes before: %+v", tc.reason, got)
			}
		})
	}
}

// What others do to a port is noticed also while other ports of the network are
// being changed all the time.
func TestChangesBesidePortChanges(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})
	apply(t, client, network("ping", ports(10)...))

	done := make(chan bool)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = client.ApplyPorts(ctx, changesOf(network("ping"), port(100+i%50)))
			_, _ = client.ApplyPorts(ctx, removing(network("ping"), port(100+i%50)))
		}
	}()
	server.Ctl("lsp-set-addresses", port(1).Name, "unknown")
	awaitChange(t, client, ovn.Change{Key: network("ping").Key})
	cancel()
	<-done
}

// When what every port carries has changed, the others are to be applied too.
func TestWideChangesAreReported(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})
	apply(t, client, network("ping", ports(3)...))
	// Events come in order: when these have come, none of the ports is pending.
	for _, later := range []string{"one", "two"} {
		apply(t, dial(t, server), network(later))
		awaitChange(t, client, ovn.Change{Key: network(later).Key})
	}

	applyPorts(t, client, changesOf(served(network("ping"), "1442"), port(5)))
	awaitChange(t, client, ovn.Change{Key: network("ping").Key})

	all := append(ports(3), port(5))
	apply(t, client, served(network("ping", all...), "1442"))
	checkServed(t, server, "1442", all...)
}
