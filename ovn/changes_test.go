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
