package ovn_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

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

func TestCloseLeavesNothing(t *testing.T) {
	cases := map[string]struct {
		reason string
		state  func(*ovntest.Server)
	}{
		"Connected":    {reason: "the connection is closed", state: func(*ovntest.Server) {}},
		"Disconnected": {reason: "nobody goes on connecting", state: func(s *ovntest.Server) { s.Stop() }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			client, err := ovn.Dial(ctx, ovn.Config{Endpoints: []string{server.Endpoint()}})
			if err != nil {
				t.Fatalf("Dial: %v", err)
			}
			awaitChange(t, client, ovn.Change{All: true})
			tc.state(server)

			cancel()

			g := NewWithT(t)
			g.Eventually(client.Changes(), patience).Should(BeClosed(), tc.reason)
			g.Eventually(clientGoroutines, patience, time.Millisecond).Should(BeEmpty(), tc.reason)
			client.Close() // once more does no harm
		})
	}
}

// clientGoroutines returns the goroutines that run our or libovsdb's code,
// other than those that serve the test and its servers.
func clientGoroutines() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]

	var found []string
	for _, g := range strings.Split(string(stacks), "\n\n") {
		ours := strings.Contains(g, "l2sm/ovn.") || strings.Contains(g, "libovsdb") || strings.Contains(g, "rpc2")
		if ours && !strings.Contains(g, "ovn_test.") {
			found = append(found, g)
		}
	}
	return found
}
