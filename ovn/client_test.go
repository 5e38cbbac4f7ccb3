package ovn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func TestApplyMakesNetwork(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)

	got := apply(t, client, network("ping", port(1), port(2)))

	want := ovn.Result{Committed: true, Added: names(port(1), port(2))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names(port(1), port(2)), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	if got, want := server.Commits(), 1; got != want {
		t.Errorf("commits: want %d, got %d", want, got)
	}
	for column, want := range map[string]string{
		"addresses":                             `["0a:58:0a:65:00:01 10.101.0.1"]`,
		"port_security":                         `["0a:58:0a:65:00:01 10.101.0.1/16"]`,
		`external_ids:"l2sm.io/network"`:        `"default/ping"`,
		`external_ids:"l2sm.io/network-uid"`:    "uid-of-ping",
		`external_ids:"l2sm.io/attachment-uid"`: "uid-of-attachment-1",
	} {
		if got := server.Get("Logical_Switch_Port", port(1).Name, column); got != want {
			t.Errorf("%s of a port: want %s, got %s", column, want, got)
		}
	}
}

func TestApplyAgainCommitsNothing(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	first := dial(t, server)
	want := network("ping", ports(10)...)
	apply(t, first, want)

	for who, client := range map[string]*ovn.Client{"the same client": first, "another client": dial(t, server)} {
		if diff := cmp.Diff(ovn.Result{}, apply(t, client, want)); diff != "" {
			t.Errorf("result of %s (-want +got):\n%s", who, diff)
		}
	}
	if got, want := server.Commits(), 1; got != want {
		t.Errorf("commits: want %d, got %d", want, got)
	}
}

func TestApplyTakesRepeatedElements(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	repeating := port(1)
	repeating.Addresses = []string{"unknown", "0a:58:0a:65:00:01", "unknown"}

	apply(t, client, network("ping", repeating))

	if got, want := server.Get("Logical_Switch_Port", repeating.Name, "addresses"), `["0a:58:0a:65:00:01", unknown]`; got != want {
		t.Errorf("addresses: want %s, got %s", want, got)
	}
	if got := apply(t, client, network("ping", repeating)); got.Committed {
		t.Errorf("result of one more Apply: %+v", got)
	}
}

func TestApplyRemovesPorts(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	apply(t, client, network("ping", port(1), port(2)))

	got := apply(t, client, network("ping", port(2)))

	if diff := cmp.Diff(ovn.Result{Committed: true, Removed: names(port(1))}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names(port(2)), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestApplyMovesPort(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	apply(t, client, network("production", port(1), port(2)))
	apply(t, client, network("quarantine"))
	row := server.Get("Logical_Switch_Port", port(1).Name, "_uuid")
	commits := server.Commits()

	got := apply(t, client, network("quarantine", port(1)))

	if diff := cmp.Diff(ovn.Result{Committed: true, Moved: names(port(1))}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if got := server.Commits() - commits; got != 1 {
		t.Errorf("commits: want 1, got %d", got)
	}
	if got := server.Get("Logical_Switch_Port", port(1).Name, "_uuid"); got != row {
		t.Errorf("row of the port: was %s, is %s", row, got)
	}
	if got, want := server.Get("Logical_Switch_Port", port(1).Name, `external_ids:"l2sm.io/network"`), `"default/quarantine"`; got != want {
		t.Errorf("network of the port: want %s, got %s", want, got)
	}
	for sw, want := range map[string][]string{
		"l2sm/default/production": names(port(2)),
		"l2sm/default/quarantine": names(port(1)),
	} {
		if diff := cmp.Diff(want, portsOn(server, sw)); diff != "" {
			t.Errorf("ports on %s (-want +got):\n%s", sw, diff)
		}
	}

	if diff := cmp.Diff(ovn.Result{}, apply(t, client, network("production", port(2)))); diff != "" {
		t.Errorf("result for the network it left (-want +got):\n%s", diff)
	}
}

func TestApplyRepairs(t *testing.T) {
	cases := map[string]struct {
		reason string
		edit   []string
		want   ovn.Result
	}{
		"Addresses": {
			reason: "addresses edited by hand are written again",
			edit:   []string{"lsp-set-addresses", port(1).Name, "unknown"},
			want:   ovn.Result{Committed: true, Changed: names(port(1))},
		},
		"PortSecurity": {
			reason: "port security removed by hand is written again",
			edit:   []string{"lsp-set-port-security", port(1).Name},
			want:   ovn.Result{Committed: true, Changed: names(port(1))},
		},
		"PortOwner": {
			reason: "an owner edited by hand is written again",
			edit:   []string{"set", "Logical_Switch_Port", port(1).Name, `external_ids:"l2sm.io/attachment-uid"=x`},
			want:   ovn.Result{Committed: true, Changed: names(port(1))},
		},
		"PortGone": {
			reason: "a port removed by hand is made again",
			edit:   []string{"lsp-del", port(1).Name},
			want:   ovn.Result{Committed: true, Added: names(port(1))},
		},
		"PortElsewhere": {
			reason: "a port taken to another switch by hand is taken back",
			edit: []string{
				"ls-add", "theirs", "--", "--id=@p", "get", "Logical_Switch_Port", port(1).Name, "--",
				"remove", "Logical_Switch", "l2sm/default/ping", "ports", "@p", "--",
				"add", "Logical_Switch", "theirs", "ports", "@p",
			},
			want: ovn.Result{Committed: true, Moved: names(port(1))},
		},
		"SwitchGone": {
			reason: "a switch removed by hand is made again with its ports",
			edit:   []string{"ls-del", "l2sm/default/ping"},
			want:   ovn.Result{Committed: true, Added: names(port(1), port(2))},
		},
		"SwitchRenamed": {
			reason: "a switch renamed by hand gets its name back and keeps its ports",
			edit:   []string{"set", "Logical_Switch", "l2sm/default/ping", "name=renamed"},
			want:   ovn.Result{Committed: true},
		},
		"SwitchDoubled": {
			reason: "a second switch made by hand in our name goes",
			edit: []string{
				"create", "Logical_Switch", `name="l2sm/default/ping"`, `external_ids:"l2sm.io/network"="default/ping"`,
			},
			want: ovn.Result{Committed: true},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			client := dial(t, server)
			want := network("ping", port(1), port(2))
			apply(t, client, want)
			awaitChange(t, client, ovn.Change{All: true})

			server.Ctl(tc.edit...)
			awaitChange(t, client, ovn.Change{Key: want.Key})

			if diff := cmp.Diff(tc.want, apply(t, client, want)); diff != "" {
				t.Errorf("%s: result (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(names(port(1), port(2)), portsOn(server, "l2sm/default/ping")); diff != "" {
				t.Errorf("%s: ports (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(ovn.Result{}, apply(t, client, want)); diff != "" {
				t.Errorf("%s: result of one more Apply (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestForeignRowsStay(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	apply(t, client, network("ping", port(1)))
	server.Ctl("ls-add", "theirs", "--", "lsp-add", "theirs", "their-port")
	server.Ctl("lsp-add", "l2sm/default/ping", "their-uplink")
	server.Ctl("set", "Logical_Switch", "l2sm/default/ping", "external_ids:note=lab", "other_config:mcast_snoop=true")
	server.Ctl("set", "Logical_Switch_Port", port(1).Name, "external_ids:note=web", "options:requested-chassis=n1")

	changed := network("ping", port(2))
	changed.UID = "uid-of-a-new-ping"
	apply(t, client, changed)
	changed.Ports[0].Addresses = []string{"unknown"}
	apply(t, client, changed)

	if diff := cmp.Diff([]string{"their-port"}, portsOn(server, "theirs")); diff != "" {
		t.Errorf("ports on the foreign switch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{port(2).Name, "their-uplink"}, portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports on our switch (-want +got):\n%s", diff)
	}
	if got, want := server.Get("Logical_Switch", "l2sm/default/ping", "external_ids:note"), "lab"; got != want {
		t.Errorf("note on our switch: want %q, got %q", want, got)
	}
	if got, want := server.Get("Logical_Switch", "l2sm/default/ping", "other_config:mcast_snoop"), `"true"`; got != want {
		t.Errorf("configuration of our switch: want %s, got %s", want, got)
	}

	networks, err := client.Networks()
	if err != nil {
		t.Fatalf("Networks: %v", err)
	}
	if diff := cmp.Diff([]ovn.Key{changed.Key}, networks); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
	for _, key := range append(networks, ovn.Key{Namespace: "default", Name: "other"}) {
		if err := client.Delete(context.Background(), key); err != nil {
			t.Errorf("Delete(%s): %v", key, err)
		}
	}
	if diff := cmp.Diff([]string{"theirs"}, switches(server)); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
}

func TestApplyRefusesForeignRows(t *testing.T) {
	cases := map[string]struct {
		reason string
		made   []string
		gone   []string
		want   ovn.ForeignError
	}{
		"Switch": {
			reason: "a switch of our name that somebody made by hand is neither taken nor doubled",
			made:   []string{"ls-add", "l2sm/default/ping"},
			gone:   []string{"ls-del", "l2sm/default/ping"},
			want:   ovn.ForeignError{Kind: "logical switch", Name: "l2sm/default/ping"},
		},
		"Port": {
			reason: "a port of our name that somebody made by hand is not taken",
			made:   []string{"ls-add", "theirs", "--", "lsp-add", "theirs", port(1).Name},
			gone:   []string{"lsp-del", port(1).Name},
			want:   ovn.ForeignError{Kind: "logical switch port", Name: port(1).Name},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			server.Ctl(tc.made...)
			client := dial(t, server)
			want := network("ping", port(1))
			commits := server.Commits()

			_, err := client.Apply(context.Background(), want)

			var foreign *ovn.ForeignError
			if !errors.As(err, &foreign) {
				t.Fatalf("%s: want a ForeignError, got %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, *foreign); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if got := server.Commits() - commits; got != 0 {
				t.Errorf("%s: %d commits", tc.reason, got)
			}

			awaitChange(t, client, ovn.Change{All: true})
			server.Ctl(tc.gone...)
			for err != nil { // the first change may still tell of the foreign row
				awaitChange(t, client, ovn.Change{Key: want.Key})
				_, err = client.Apply(context.Background(), want)
			}
			if diff := cmp.Diff(names(port(1)), portsOn(server, "l2sm/default/ping")); diff != "" {
				t.Errorf("ports when it is gone (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyRefusesBadInput(t *testing.T) {
	client := dialConfig(t, ovn.Config{Endpoints: []string{"unix:/nonexistent"}})
	cases := map[string]struct {
		reason string
		bad    ovn.Network
	}{
		"NoName":      {reason: "a network is known by namespace and name", bad: ovn.Network{}},
		"UnnamedPort": {reason: "a port is known by its name", bad: network("ping", ovn.Port{})},
		"PortTwice":   {reason: "a switch has one port of a name", bad: network("ping", port(1), port(1))},
		"BadSubnet":   {reason: "options are for a subnet", bad: ovn.Network{Key: network("ping").Key, DHCP: []ovn.DHCP{{CIDR: "10.0.0.0"}}}},
		"FamilyTwice": {reason: "a port has room for one set of a family", bad: ovn.Network{
			Key:  network("ping").Key,
			DHCP: []ovn.DHCP{{CIDR: "10.0.0.0/24"}, {CIDR: "10.0.1.0/24"}},
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			_, err := client.Apply(ctx, tc.bad)
			if err == nil || errors.Is(err, ovn.ErrNotConnected) {
				t.Errorf("%s: want an error without asking a server, got %v", tc.reason, err)
			}
		})
	}
}

func TestSweep(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	before := dial(t, server)
	apply(t, before, network("kept", port(1)))
	apply(t, before, network("gone", port(2)))
	before.Close()

	client := dial(t, server)
	awaitConnected(t, client)
	got, err := client.Networks()
	if err != nil {
		t.Fatalf("Networks: %v", err)
	}
	if diff := cmp.Diff([]ovn.Key{network("gone").Key, network("kept").Key}, got); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
	if err := client.Delete(context.Background(), network("gone").Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if diff := cmp.Diff([]string{"l2sm/default/kept"}, switches(server)); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
	if got := server.Ctl("--bare", "--columns=name", "list", "Logical_Switch_Port"); got != port(1).Name+"\n" {
		t.Errorf("ports: %q", got)
	}
}
