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

// addChassis registers a chassis as its ovn-controller does.
func addChassis(s *ovntest.Server, name, ip string) {
	s.Ctl("chassis-add", name, "geneve", ip, "--", "create", "Chassis_Private", "name="+name)
}

func dialSouthbound(t *testing.T, s *ovntest.Server) *ovn.Southbound {
	t.Helper()
	sb, err := ovn.DialSouthbound(context.Background(), ovn.Config{Endpoints: []string{s.Endpoint()}})
	if err != nil {
		t.Fatalf("DialSouthbound: %v", err)
	}
	t.Cleanup(sb.Close)
	return sb
}

func TestDeleteChassis(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	addChassis(server, "node-a", "192.0.2.1")
	addChassis(server, "node-b", "192.0.2.2")
	sb := dialSouthbound(t, server)
	NewWithT(t).Eventually(sb.Connected, patience, time.Millisecond).Should(BeTrue())

	for range 2 { // the second time there is nothing left to do
		if err := sb.DeleteChassis(context.Background(), "node-a"); err != nil {
			t.Fatalf("DeleteChassis: %v", err)
		}
	}

	got, err := sb.Chassis()
	if err != nil {
		t.Fatalf("Chassis: %v", err)
	}
	if diff := cmp.Diff([]string{"node-b"}, got); diff != "" {
		t.Errorf("chassis (-want +got):\n%s", diff)
	}
	for _, table := range []string{"Chassis", "Chassis_Private"} {
		if got := server.Ctl("--bare", "--columns=name", "list", table); got != "node-b\n" {
			t.Errorf("rows of %s: %q", table, got)
		}
	}
	if got := server.Ctl("--bare", "--columns=ip", "list", "Encap"); got != "192.0.2.2\n" {
		t.Errorf("tunnel ends: %q", got)
	}
}

func TestChassisWithoutServer(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	server.Stop()
	sb := dialSouthbound(t, server)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()

	if _, err := sb.Chassis(); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("Chassis: want ErrNotConnected, got %v", err)
	}
	if err := sb.DeleteChassis(ctx, "node-a"); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("DeleteChassis: want ErrNotConnected, got %v", err)
	}
}

func TestSouthboundChanges(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	sb := dialSouthbound(t, server)
	next := func(why string) {
		t.Helper()
		NewWithT(t).Eventually(sb.Changes(), patience).Should(Receive(), why)
	}

	next("a connection was made")
	addChassis(server, "node-a", "192.0.2.1")
	next("a chassis appeared")
	server.Stop()
	server.Start()
	next("the server was restarted")
}
