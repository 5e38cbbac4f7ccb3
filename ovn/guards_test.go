package ovn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/ovn/ovntest"
)

// dialServer returns a client of the server that ends with the test.
func dialServer(t testing.TB, server *ovntest.Server) *Client {
	t.Helper()
	client, err := Dial(context.Background(), Config{Endpoints: []string{server.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// What was decided must not be done when the database has changed meanwhile,
// in a way that would make it do something else or nothing at all.
func TestGuards(t *testing.T) {
	key := Key{Namespace: "default", Name: "ping"}
	a := Port{Name: "l2sm/default/a", Addresses: []string{"0a:58:00:00:00:0a"}}
	changedA := Port{Name: "l2sm/default/a", Addresses: []string{"unknown"}}
	served := func(mtu string, ports ...Port) Network {
		return Network{
			Key: key, UID: "uid", Ports: ports,
			DHCP: []DHCP{{CIDR: "10.0.0.0/24", Options: map[string]string{"mtu": mtu}}},
		}
	}
	with := func(ports ...Port) Network { return Network{Key: key, UID: "uid", Ports: ports} }
	others := served("1300", a)
	move := func(from, to string) []string {
		return []string{
			"--id=@p", "get", "Logical_Switch_Port", a.Name, "--",
			"remove", "Logical_Switch", from, "ports", "@p", "--", "add", "Logical_Switch", to, "ports", "@p",
		}
	}

	cases := map[string]struct {
		reason    string
		before    []Network
		desired   Network
		meanwhile []string // by hand
		other     *Network // by another client
	}{
		"MakeSwitch": {
			reason:  "no other client created the switch",
			desired: with(),
			other:   &Network{Key: key, UID: "uid", Ports: []Port{a}},
		},
		"AddPort": {
			reason:    "the switch that gets the port is there: a port on no switch is dropped without a word",
			before:    []Network{with()},
			desired:   with(a),
			meanwhile: []string{"ls-del", key.Switch()},
		},
		"ChangePort": {
			reason:    "the port is there",
			before:    []Network{with(a)},
			desired:   with(changedA),
			meanwhile: []string{"lsp-del", a.Name},
		},
		"ChangePortElsewhere": {
			reason:    "the port is on the network's switch",
			before:    []Network{with(a)},
			desired:   with(changedA),
			meanwhile: move(key.Switch(), "third"),
		},
		"RemovePort": {
			reason:    "the port is on the network's switch, and not moved by then",
			before:    []Network{with(a)},
			desired:   with(),
			meanwhile: move(key.Switch(), "third"),
		},
		"RenamedSwitch": {
			reason:    "the switch has its name",
			before:    []Network{with()},
			desired:   with(a),
			meanwhile: []string{"set", "Logical_Switch", key.Switch(), "name=renamed"},
		},
		"MovePort": {
			reason:    "the port is where it is taken from: else it would be on two switches",
			before:    []Network{with(), {Key: Key{Namespace: "default", Name: "pong"}, Ports: []Port{a}}},
			desired:   with(a),
			meanwhile: move("l2sm/default/pong", "third"),
		},
		"MovePortToNewSwitch": {
			reason:    "also when the switch it is taken to is made",
			before:    []Network{{Key: Key{Namespace: "default", Name: "pong"}, Ports: []Port{a}}},
			desired:   with(a),
			meanwhile: move("l2sm/default/pong", "third"),
		},
		"MakeDHCP": {
			reason:  "no other client created the set",
			before:  []Network{with(a)},
			desired: served("1400", a),
			other:   &others,
		},
		"ChangeDHCP": {
			reason:    "the set is there",
			before:    []Network{served("1400", a)},
			desired:   served("1300", a),
			meanwhile: []string{"--all", "destroy", "DHCP_Options"},
		},
		"AddPortWithDHCP": {
			reason:    "the set that the port refers to is there: a reference to no row is dropped without a word",
			before:    []Network{served("1400")},
			desired:   served("1400", a),
			meanwhile: []string{"--all", "destroy", "DHCP_Options"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			server := ovntest.NewNorthbound(t)
			server.Ctl("ls-add", "third")
			client, other := dialServer(t, server), dialServer(t, server)
			for _, n := range tc.before {
				if _, err := client.Apply(ctx, n); err != nil {
					t.Fatal(err)
				}
			}
			s, err := client.conn.wait(ctx)
			if err != nil {
				t.Fatal(err)
			}
			actual, err := replicaOf(s).state(target{Network: tc.desired})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := Diff(tc.desired, actual)
			if err != nil {
				t.Fatal(err)
			}

			if tc.meanwhile != nil {
				server.Ctl(tc.meanwhile...)
			}
			if tc.other != nil {
				if _, err := other.Apply(ctx, *tc.other); err != nil {
					t.Fatal(err)
				}
			}
			before := server.Ctl("show") + server.Ctl("list", "DHCP_Options")

			if err := s.transact(ctx, plan.operations()); !errors.Is(err, errConflict) {
				t.Errorf("%s: want a conflict, got %v", tc.reason, err)
			}
			if diff := cmp.Diff(before, server.Ctl("show")+server.Ctl("list", "DHCP_Options")); diff != "" {
				t.Errorf("%s: the transaction changed the database (-before +after):\n%s", tc.reason, diff)
			}
		})
	}
}

// What was learned of another program's switch stays when that has got the key that a
// network had.
func TestGuardOfLearned(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	server.Ctl("create", "Datapath_Binding", "tunnel_key=7", "external_ids:name=l2sm/default/net", "--", "create", "FDB", "dp_key=7", "port_key=1", `mac="02:00:00:00:00:01"`)
	z, err := DialZone(context.Background(), Config{Endpoints: []string{server.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	s, err := z.conn.wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at := portKeys{7, 1}
	guards, is := networkAt(s, at)
	if !is {
		t.Fatal("the network's switch is not known")
	}
	server.Ctl("destroy", "Datapath_Binding", strings.TrimSpace(server.Ctl("--bare", "--columns=_uuid", "list", "Datapath_Binding")),
		"--", "create", "Datapath_Binding", "tunnel_key=7", "external_ids:name=theirs")
	if _, err := s.unlearn(ctx, at, guards); !errors.Is(err, errConflict) {
		t.Errorf("unlearn = %v, want %v", err, errConflict)
	}
	if server.Ctl("--bare", "--columns=mac", "list", "FDB") == "" {
		t.Error("it has deleted what is theirs")
	}
}
