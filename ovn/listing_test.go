package ovn_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func readNorthbound(t *testing.T, s *ovntest.Server) ovn.Contents {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := ovn.ReadNorthbound(ctx, ovn.Config{Endpoints: []string{s.Endpoint()}})
	if err != nil {
		t.Fatalf("ReadNorthbound: %v", err)
	}
	sortContents(c)
	return c
}

func sortContents(c ovn.Contents) {
	slices.SortFunc(c.Switches, func(a, b ovn.ListedSwitch) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Ports, func(a, b ovn.ListedPort) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Switch, b.Switch))
	})
	slices.SortFunc(c.DHCP, func(a, b ovn.ListedDHCP) int { return cmp.Compare(a.CIDR, b.CIDR) })
}

// What is read is what was applied.
func TestListedIsApplied(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	ping, pong := served(network("ping", port(1), port(2)), "1442"), network("pong", port(3))
	apply(t, client, ping)
	apply(t, client, pong)
	server.Ctl("ls-add", "theirs", "--", "lsp-add", "theirs", "their-port", "--", "create", "DHCP_Options", "cidr=10.0.0.0/8")

	one, two := ping.Listed(), pong.Listed()
	want := ovn.Contents{
		Switches: append(one.Switches, two.Switches...), Ports: append(one.Ports, two.Ports...), DHCP: one.DHCP,
	}
	if diff := gocmp.Diff(want, readNorthbound(t, server), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("contents (-applied +read):\n%s", diff)
	}
	held, err := client.Contents()
	sortContents(held)
	if diff := gocmp.Diff(want, held, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("what the client holds, error %v (-applied +held):\n%s", err, diff)
	}
	text, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	var back ovn.Contents
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, back, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("contents that went through JSON (-applied +got):\n%s", diff)
	}
}

// What only looks like ours, or is where it should not be, is read too.
func TestStraysAreListed(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	server.Ctl("ls-add", "l2sm/default/forged", "--", "lsp-add", "l2sm/default/forged", "l2sm/default/p")
	server.Ctl("ls-add", "theirs", "--", "lsp-add", "theirs", "odd",
		"--", "set", "Logical_Switch_Port", "odd", `external_ids:"l2sm.io/network"="default/gone"`)
	server.Ctl("--id=@p", "get", "Logical_Switch_Port", "odd", "--", "add", "Logical_Switch", "l2sm/default/forged", "ports", "@p")

	want := ovn.Contents{
		Switches: []ovn.ListedSwitch{{Name: "l2sm/default/forged"}},
		Ports: []ovn.ListedPort{
			{Port: ovn.Port{Name: "l2sm/default/p"}, Switch: "l2sm/default/forged"},
			{Port: ovn.Port{Name: "odd"}, Switch: "l2sm/default/forged", Network: network("gone").Key},
			{Port: ovn.Port{Name: "odd"}, Switch: "theirs", Network: network("gone").Key},
		},
	}
	if diff := gocmp.Diff(want, readNorthbound(t, server), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("contents (-want +read):\n%s", diff)
	}
}

func TestReadSouthbound(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	addChassis(server, "node-a", "192.0.2.1", ovn.ChassisMark)
	addChassis(server, "foreign", "192.0.2.2", "theirs")
	binding := func(port, key string, columns ...string) []string {
		return append([]string{"--", "create", "Port_Binding", "datapath=@d", "logical_port=" + port, "tunnel_key=" + key}, columns...)
	}
	server.Ctl(slices.Concat([]string{"--id=@c", "get", "Chassis", "node-a", "--", "--id=@d", "create", "Datapath_Binding", "tunnel_key=7", "external_ids:name=l2sm/default/net"},
		binding("l2sm/default/a", "1", "chassis=@c", "up=true"), binding("l2sm/default/b", "2"), binding("l2sm/default/c", "4", "up=false"), binding("theirs", "3"))...)
	server.Ctl("create", "Datapath_Binding", "tunnel_key=8", "external_ids:name=theirs")
	zone := dialZone(t, server)
	remote := ovn.Remote{Name: "node-b", Hostname: "node-b", Address: "192.0.2.3"}
	if _, err := zone.ApplyRemotes(t.Context(), []ovn.Remote{remote}, false); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := ovn.ReadSouthbound(ctx, ovn.Config{Endpoints: []string{server.Endpoint()}})
	if err != nil {
		t.Fatalf("ReadSouthbound: %v", err)
	}
	want := ovn.Bindings{
		Switches: []ovn.BoundSwitch{{Name: "l2sm/default/net", TunnelKey: 7}},
		Chassis:  []string{"node-a"},
		Remotes:  []ovn.Remote{remote},
		Ports: []ovn.Binding{
			{Port: "l2sm/default/a", Chassis: "node-a", Up: true, TunnelKey: 1}, {Port: "l2sm/default/b", TunnelKey: 2}, {Port: "l2sm/default/c", TunnelKey: 4},
		},
	}
	byPort := cmpopts.SortSlices(func(a, b ovn.Binding) bool { return a.Port < b.Port })
	if diff := gocmp.Diff(want, got, byPort); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

// A database that does not answer is not an empty one.
func TestReadWithoutServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := ovn.ReadNorthbound(ctx, ovn.Config{Endpoints: []string{"unix:/nonexistent"}}); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("ReadNorthbound: want ErrNotConnected, got %v", err)
	}
	if _, err := ovn.ReadSouthbound(ctx, ovn.Config{Endpoints: []string{"unix:/nonexistent"}}); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("ReadSouthbound: want ErrNotConnected, got %v", err)
	}
}
