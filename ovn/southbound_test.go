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
func addChassis(s *ovntest.Server, name, ip, options string) {
	s.Ctl("chassis-add", name, "geneve", ip, "--", "set", "Chassis", name, "other_config:ovn-cms-options="+options,
		"--", "create", "Chassis_Private", "name="+name)
}

func TestChassisAreOurs(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	addChassis(server, "node-b", "192.0.2.2", "l2sm")
	addChassis(server, "node-a", "192.0.2.1", `"enable-chassis-as-gw,l2sm"`)
	addChassis(server, "foreign", "192.0.2.3", "l2sm-not-quite")
	server.Ctl("chassis-add", "plain", "geneve", "192.0.2.4")
	sb := dialSouthbound(t, server)
	NewWithT(t).Eventually(sb.Connected, patience, time.Millisecond).Should(BeTrue())

	got, err := sb.Chassis()
	if err != nil {
		t.Fatalf("Chassis: %v", err)
	}
	if diff := cmp.Diff([]string{"node-a", "node-b"}, got); diff != "" {
		t.Errorf("chassis without the mark are somebody else's (-want +got):\n%s", diff)
	}
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
	addChassis(server, "node-a", "192.0.2.1", ovn.ChassisMark)
	addChassis(server, "node-b", "192.0.2.2", ovn.ChassisMark)
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
	addChassis(server, "node-a", "192.0.2.1", ovn.ChassisMark)
	next("a chassis appeared")
	server.Ctl("set", "Chassis", "node-a", "other_config:ovn-cms-options=other")
	next("a chassis was marked otherwise")
	server.Stop()
	server.Start()
	next("the server was restarted")
}
