package ovn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func TestServerRestarts(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	want := network("ping", ports(10)...)
	apply(t, client, want)
	awaitChange(t, client, ovn.Change{All: true})

	server.Stop()
	NewWithT(t).Eventually(client.Connected, patience, time.Millisecond).Should(BeFalse(), "Connected with the server down")
	if _, err := client.Networks(); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("Networks with the server down: want ErrNotConnected, got %v", err)
	}
	server.Start()
	awaitChange(t, client, ovn.Change{All: true})

	if diff := cmp.Diff(ovn.Result{}, apply(t, client, want)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestDatabaseWiped(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	want := network("ping", ports(10)...)
	apply(t, client, want)
	apply(t, client, network("pong"))
	awaitChange(t, client, ovn.Change{All: true})

	server.Wipe()
	awaitChange(t, client, ovn.Change{All: true})

	networks, err := client.Networks()
	if err != nil || len(networks) != 0 {
		t.Errorf("networks in the empty database: %v, error %v", networks, err)
	}
	if diff := cmp.Diff(ovn.Result{Committed: true, Added: names(want.Ports...)}, apply(t, client, want)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names(want.Ports...), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

// A call that comes while the server is down must not be decided by what the
// server held before.
func TestDatabaseWipedUnderCalls(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	before := network("ping", ports(10)...)
	after := network("ping", ports(11)...)
	apply(t, client, before)

	server.Stop()
	done := make(chan error, 2)
	for range cap(done) {
		go func() {
			_, err := client.Apply(context.Background(), after)
			done <- err
		}()
	}
	server.Start()
	server.Wipe()

	for range cap(done) {
		if err := <-done; err != nil {
			t.Errorf("Apply: %v", err)
		}
	}
	apply(t, client, after)
	if diff := cmp.Diff(names(after.Ports...), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestFailover(t *testing.T) {
	first, second := ovntest.NewNorthbound(t), ovntest.NewNorthbound(t, ovntest.WithTCP())
	client := dial(t, first, second)
	want := network("ping", port(1))
	apply(t, client, want)
	awaitChange(t, client, ovn.Change{All: true})

	first.Stop()
	awaitChange(t, client, ovn.Change{All: true})
	apply(t, client, want)

	if diff := cmp.Diff(names(port(1)), portsOn(second, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports on the second server (-want +got):\n%s", diff)
	}
}

// An endpoint that accepts and never answers must not hide the one after it,
// nor may a server that hangs keep the client.
func TestFailoverFromHangingServer(t *testing.T) {
	mute := listen(t)
	hanging, living := ovntest.NewNorthbound(t), ovntest.NewNorthbound(t)
	client := dialConfig(t, ovn.Config{
		Endpoints:     []string{hanging.Endpoint(), "tcp:" + mute.Addr().String(), living.Endpoint()},
		ProbeInterval: 200 * time.Millisecond,
	})
	awaitConnected(t, client)
	awaitChange(t, client, ovn.Change{All: true})

	hanging.Pause()
	defer hanging.Resume()
	awaitChange(t, client, ovn.Change{All: true})
	apply(t, client, network("ping", port(1)))

	if diff := cmp.Diff(names(port(1)), portsOn(living, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports on the living server (-want +got):\n%s", diff)
	}
}

func TestServerComesLate(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	server.Stop()
	client := dial(t, server)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Apply(ctx, network("ping")); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("Apply without a server: want ErrNotConnected, got %v", err)
	}
	if client.Connected() {
		t.Error("Connected without a server")
	}

	server.Start()
	apply(t, client, network("ping"))
	if diff := cmp.Diff([]string{"l2sm/default/ping"}, switches(server)); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
}

func TestClusterLosesLeader(t *testing.T) {
	servers := ovntest.NewNorthboundCluster(t, 3)
	client := dial(t, servers...)
	want := network("ping", ports(10)...)
	apply(t, client, want)

	for i, s := range servers {
		if s.IsLeader() {
			s.Stop()
			servers = append(servers[:i:i], servers[i+1:]...)
			break
		}
	}
	want.Ports = want.Ports[:5]
	began := time.Now()
	apply(t, client, want)
	t.Logf("committed %s after the leader was stopped", time.Since(began).Round(time.Millisecond))

	for _, s := range servers {
		NewWithT(t).Eventually(func() []string { return portsOn(s, "l2sm/default/ping") }, patience).
			Should(Equal(names(want.Ports...)), "ports on a member that is left")
	}
}

func TestDialRefuses(t *testing.T) {
	cases := map[string]struct {
		reason    string
		endpoints []string
	}{
		"None":         {reason: "there is nothing to connect to", endpoints: nil},
		"NoMethod":     {reason: "ovsdb(7) addresses begin with a method", endpoints: []string{"localhost:6641"}},
		"NoPort":       {reason: "there is no default port", endpoints: []string{"tcp:localhost"}},
		"RelativePath": {reason: "a path means nothing to who does not know the working directory", endpoints: []string{"unix:db.sock"}},
		"NoTLS":        {reason: "ssl needs certificates", endpoints: []string{"ssl:localhost:6641"}},
		"OneOfTwo":     {reason: "a wrong endpoint is not hidden by a right one", endpoints: []string{"unix:/db.sock", "tcp:"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if c, err := ovn.Dial(context.Background(), ovn.Config{Endpoints: tc.endpoints}); err == nil {
				c.Close()
				t.Errorf("%s: want an error", tc.reason)
			}
		})
	}
}

// A server that is of no use is not asked all the time.
func TestBackoff(t *testing.T) {
	useless := listen(t)
	dialConfig(t, ovn.Config{Endpoints: []string{"tcp:" + useless.Addr().String()}})

	var first time.Time
	for attempt := range 5 {
		conn, err := useless.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if attempt == 0 {
			first = time.Now()
		}
	}

	if took := time.Since(first); took < 300*time.Millisecond || took > 2*time.Second {
		t.Errorf("four more attempts took %s", took)
	}
}

// A member that has lost its cluster still accepts connections and answers
// probes, but commits nothing.
func TestClusterMemberCutOff(t *testing.T) {
	servers := ovntest.NewNorthboundCluster(t, 3)
	if servers[0].IsLeader() {
		servers[0], servers[1] = servers[1], servers[0]
	}
	client := dialConfig(t, ovn.Config{Endpoints: endpoints(servers...), ProbeInterval: 200 * time.Millisecond})
	awaitConnected(t, client)

	servers[0].Appctl("cluster/failure-test", "stop-raft-rpc")
	began := time.Now()
	apply(t, client, network("ping", port(1)))
	t.Logf("committed %s after the member was cut off", time.Since(began).Round(time.Millisecond))

	if diff := cmp.Diff(names(port(1)), portsOn(servers[1], "l2sm/default/ping")); diff != "" {
		t.Errorf("ports on the leader (-want +got):\n%s", diff)
	}
}
