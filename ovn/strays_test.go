package ovn

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn/ovntest"
)

// A switch is somebody else's in the way for as long as it has the network's
// name, and is looked for no longer than that.
func TestStraysComeAndGo(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dialServer(t, server)
	n := Network{Key: Key{Namespace: "default", Name: "ping"}, Ports: benchmarkNetwork(1).Ports}
	session, err := client.conn.wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	strays := func(count int) {
		t.Helper()
		NewWithT(t).Eventually(func() int {
			session.strays.mu.Lock()
			defer session.strays.mu.Unlock()
			return len(session.strays.rows)
		}, 10*time.Second, time.Millisecond).Should(Equal(count), "places of strays")
	}

	server.Ctl("ls-add", "uplink")
	server.Ctl("set", "Logical_Switch", "uplink", "name="+n.Switch())
	strays(1)
	var foreign *ForeignError
	if _, err := client.Apply(context.Background(), n); !errors.As(err, &foreign) {
		t.Errorf("Apply beside a foreign switch of that name: %v", err)
	}
	server.Ctl("set", "Logical_Switch", n.Switch(), "name=uplink")
	strays(0)
	mustApply(t, client, n)
	strays(0)

	server.Ctl("create", "Logical_Switch", "name=copy", `external_ids:"l2sm.io/network"="default/ping"`)
	strays(1)
	mustApply(t, client, n) // removes the copy, which has no ports
	strays(0)
}

// Databases are full of these UUIDs: no version may derive others.
func TestDerivedUUIDStays(t *testing.T) {
	got := derivedUUID("Logical_Switch", Key{Namespace: "default", Name: "ping"}, "", 0)
	if want := "be8f9654-86be-8c63-822d-84a42878ed4c"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}
