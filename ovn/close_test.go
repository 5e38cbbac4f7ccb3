package ovn_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func TestCloseLeavesNothing(t *testing.T) {
	closing := func(c *ovn.Client, _ context.CancelFunc) { c.Close() }
	cancelling := func(_ *ovn.Client, cancel context.CancelFunc) { cancel() }
	cases := map[string]struct {
		reason string
		before func(*ovntest.Server)
		end    func(*ovn.Client, context.CancelFunc)
	}{
		"Connected":           {reason: "the connection is closed", end: closing},
		"ConnectedContext":    {reason: "a client ends with its context", end: cancelling},
		"Disconnected":        {reason: "nobody goes on connecting", before: (*ovntest.Server).Stop, end: closing},
		"DisconnectedContext": {reason: "nobody goes on connecting", before: (*ovntest.Server).Stop, end: cancelling},
		"ServerDoesNotAnswer": {reason: "nobody waits for an answer", before: (*ovntest.Server).Pause, end: closing},
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
			if tc.before != nil {
				tc.before(server)
			}

			tc.end(client, cancel)

			g := NewWithT(t)
			g.Eventually(client.Changes(), patience).Should(BeClosed(), tc.reason)
			g.Eventually(clientGoroutines, patience, time.Millisecond).Should(BeEmpty(), tc.reason)
			client.Close() // once more does no harm
		})
	}
}

func TestCloseEndsCalls(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dialConfig(t, ovn.Config{Endpoints: []string{server.Endpoint()}, ProbeInterval: patience})
	awaitChange(t, client, ovn.Change{All: true})
	server.Pause()
	failed := make(chan error)
	go func() {
		_, err := client.Apply(context.Background(), network("ping"))
		failed <- err
	}()
	g := NewWithT(t)
	g.Eventually(clientGoroutines, patience, time.Millisecond).Should(ContainElement(ContainSubstring("rpc2.(*Client).CallWithContext")))

	began := time.Now()
	client.Close()

	if err := <-failed; !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("Apply: want ErrNotConnected, got %v", err)
	}
	if took := time.Since(began); took > patience/4 {
		t.Errorf("Close took %s", took)
	}
}

// clientGoroutines returns the goroutines that run our or libovsdb's code,
// other than tests themselves.
func clientGoroutines() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]

	var found []string
	for _, g := range strings.Split(string(stacks), "\n\n") {
		ours := strings.Contains(g, "l2sm/ovn.") || strings.Contains(g, "libovsdb") || strings.Contains(g, "rpc2")
		if ours && !strings.Contains(g, "testing.tRunner(") {
			found = append(found, g)
		}
	}
	return found
}
