package ovn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// changesOf returns changes that set ports of a network.
func changesOf(n ovn.Network, set ...ovn.Port) ovn.PortChanges {
	return ovn.PortChanges{Network: n, Set: set}
}

// removing returns changes that remove ports.
func removing(n ovn.Network, ports ...ovn.Port) ovn.PortChanges {
	return ovn.PortChanges{Network: n, Remove: names(ports...)}
}

// applyPorts applies changes that must be applicable.
func applyPorts(t testing.TB, c *ovn.Client, ch ovn.PortChanges) ovn.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result, err := c.ApplyPorts(ctx, ch)
	if err != nil {
		t.Fatalf("ApplyPorts(%s): %v", ch.Key, err)
	}
	return result
}

func TestApplyPorts(t *testing.T) {
	ping, pong := network("ping"), network("pong")
	changed := port(1)
	changed.Addresses = []string{"unknown"}
	bound := port(1)
	bound.Options = map[string]string{"requested-chassis": "n1"}

	cases := map[string]struct {
		reason  string
		before  []ovn.Network
		changes ovn.PortChanges
		want    ovn.Result
		ping    []ovn.Port
		pong    []ovn.Port
	}{
		"Nothing": {
			reason:  "a switch is created without ports too",
			changes: changesOf(ping),
			want:    ovn.Result{Committed: true},
		},
		"First": {
			reason:  "the switch is created with its first port",
			changes: changesOf(ping, port(1)),
			want:    ovn.Result{Committed: true, Added: names(port(1))},
			ping:    ports(2)[1:],
		},
		"OneMore": {
			reason:  "the ports that are not named stay",
			before:  []ovn.Network{network("ping", port(1), port(2))},
			changes: changesOf(ping, port(3)),
			want:    ovn.Result{Committed: true, Added: names(port(3))},
			ping:    []ovn.Port{port(1), port(2), port(3)},
		},
		"Same": {
			reason:  "what is as told needs no transaction",
			before:  []ovn.Network{network("ping", port(1), port(2))},
			changes: changesOf(ping, port(2)),
			ping:    []ovn.Port{port(1), port(2)},
		},
		"Rewritten": {
			reason:  "a port is rewritten in place",
			before:  []ovn.Network{network("ping", port(1), port(2))},
			changes: changesOf(ping, changed),
			want:    ovn.Result{Committed: true, Changed: names(port(1))},
			ping:    []ovn.Port{port(1), port(2)},
		},
		"Options": {
			reason:  "so it is when it is bound to a chassis",
			before:  []ovn.Network{network("ping", port(1), port(2))},
			changes: changesOf(ping, bound),
			want:    ovn.Result{Committed: true, Changed: names(port(1))},
			ping:    []ovn.Port{port(1), port(2)},
		},
		"Moved": {
			reason:  "a port of another network is moved",
			before:  []ovn.Network{network("pong", port(1), port(2))},
			changes: changesOf(ping, port(1)),
			want:    ovn.Result{Committed: true, Moved: names(port(1))},
			ping:    []ovn.Port{port(1)},
			pong:    []ovn.Port{port(2)},
		},
		"Removed": {
			reason:  "a port is removed",
			before:  []ovn.Network{network("ping", port(1), port(2))},
			changes: removing(ping, port(1)),
			want:    ovn.Result{Committed: true, Removed: names(port(1))},
			ping:    []ovn.Port{port(2)},
		},
		"RemovedElsewhere": {
			reason:  "a port that another network has by now stays there",
			before:  []ovn.Network{network("pong", port(1)), network("ping", port(2))},
			changes: removing(ping, port(1)),
			ping:    []ovn.Port{port(2)},
			pong:    []ovn.Port{port(1)},
		},
		"RemovedNowhere": {
			reason:  "a port that is gone needs no transaction",
			before:  []ovn.Network{network("ping", port(2))},
			changes: removing(ping, port(1)),
			ping:    []ovn.Port{port(2)},
		},
		"Both": {
			reason:  "all changes are one transaction",
			before:  []ovn.Network{network("ping", port(1), port(2)), network("pong", port(3), port(4))},
			changes: ovn.PortChanges{Network: ping, Set: []ovn.Port{port(5), port(3), changed}, Remove: names(port(2), port(4))},
			want:    ovn.Result{Committed: true, Added: names(port(5)), Moved: names(port(3)), Changed: names(port(1)), Removed: names(port(2))},
			ping:    []ovn.Port{port(1), port(3), port(5)},
			pong:    []ovn.Port{port(4)},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			client := dial(t, server)
			apply(t, client, pong)
			for _, n := range tc.before {
				apply(t, client, n)
			}
			commits := server.Commits()

			got := applyPorts(t, client, tc.changes)

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: result (-want +got):\n%s", tc.reason, diff)
			}
			if got, want := server.Commits()-commits, 1; tc.want.Committed && got != want {
				t.Errorf("%s: want one commit, got %d", tc.reason, got)
			}
			for sw, want := range map[string][]ovn.Port{ping.Switch(): tc.ping, pong.Switch(): tc.pong} {
				if diff := cmp.Diff(names(want...), portsOn(server, sw)); diff != "" {
					t.Errorf("%s: ports on %s (-want +got):\n%s", tc.reason, sw, diff)
				}
			}
		})
	}
}

func TestApplyPortsRefusesForeignPort(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	server.Ctl("ls-add", "theirs", "--", "lsp-add", "theirs", port(1).Name)

	_, err := client.ApplyPorts(context.Background(), changesOf(network("ping"), port(1), port(2)))
	if foreign := (*ovn.ForeignError)(nil); !errors.As(err, &foreign) {
		t.Errorf("want a ForeignError, got %v", err)
	}
	if got := applyPorts(t, client, removing(network("ping"), port(1))); len(got.Removed) > 0 {
		t.Errorf("result of removing somebody else's port: %+v", got)
	}
	if diff := cmp.Diff(names(port(1)), portsOn(server, "theirs")); diff != "" {
		t.Errorf("ports on the foreign switch (-want +got):\n%s", diff)
	}
}

func TestApplyPortsRefusesBadInput(t *testing.T) {
	client := dialConfig(t, ovn.Config{Endpoints: []string{"unix:/nonexistent"}})
	keyed := port(1)
	keyed.TunnelKey = 32768
	doubled := port(1)
	doubled.Options = map[string]string{"requested-tnl-key": "7"}
	cases := map[string]struct {
		reason string
		bad    ovn.PortChanges
	}{
		"Ports":      {reason: "not all ports are listed", bad: changesOf(network("ping", port(1)))},
		"Twice":      {reason: "a port is one thing", bad: changesOf(network("ping"), port(1), port(1))},
		"Both":       {reason: "a port is set or removed", bad: ovn.PortChanges{Network: network("ping"), Set: ports(2), Remove: names(port(1))}},
		"TunnelKey":  {reason: "a port's tunnel key has 15 bits", bad: changesOf(network("ping"), keyed)},
		"KeyAsOther": {reason: "a tunnel key has a field of its own", bad: changesOf(network("ping"), doubled)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := client.ApplyPorts(ctx, tc.bad); err == nil || errors.Is(err, ovn.ErrNotConnected) {
				t.Errorf("%s: want an error without asking a server, got %v", tc.reason, err)
			}
		})
	}
}

// Any sequence of changes leaves what the networks as a whole say.
func TestApplyPortsConverges(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)

	rapid.Check(t, func(r *rapid.T) {
		nets := map[string]ovn.Network{"a": guarded(network("a")), "b": served(network("b"), "1442")}
		for _, n := range nets {
			apply(t, client, n)
		}
		on := map[int]string{} // the network of a port
		wanted := map[int]ovn.Port{}
		for range rapid.IntRange(1, 8).Draw(r, "steps") {
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(r, "network")
			ch := changesOf(nets[name])
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 0, 3, rapid.ID).Draw(r, "ports") {
				if rapid.Bool().Draw(r, "set") {
					p := variant(r, port(i))
					p.Permit = rapid.SampledFrom([]string{"", "1", "udp.src == 67"}).Draw(r, "permit")
					p.TunnelKey = rapid.SampledFrom([]int{0, 100 + i}).Draw(r, "key")
					ch.Set = append(ch.Set, p)
					on[i], wanted[i] = name, p
					continue
				}
				ch.Remove = append(ch.Remove, port(i).Name)
				if on[i] == name {
					delete(on, i)
				}
			}
			applyPorts(t, client, ch)
		}

		want, rules := map[string][]string{}, map[string]int{"a": 1}
		var all []ovn.Network
		for name, n := range nets {
			want[n.Switch()] = nil
			for i := range 6 {
				if on[i] == name {
					n.Ports = append(n.Ports, wanted[i])
					if wanted[i].Permit != "" {
						rules[name]++
					}
					want[n.Switch()] = append(want[n.Switch()], port(i).Name+" "+strings.Join(wanted[i].Addresses, ","))
				}
			}
			all = append(all, n)
		}
		if diff := cmp.Diff(want, shown(server)); diff != "" {
			r.Errorf("the server's contents (-want +got):\n%s", diff)
		}
		for name, n := range nets {
			if got := strings.Count(server.Ctl("acl-list", n.Switch()), "from-lport"); got != rules[name] {
				r.Errorf("rules of %s: want %d, got %d", name, rules[name], got)
			}
		}
		for _, n := range all {
			if got := apply(t, client, n); got.Committed {
				r.Errorf("Apply of %s as a whole: %+v", n.Key, got)
			}
		}
	})
}

// What a large network needs is split, so that the server can serve others in
// between.
func TestLargeNetworksAreSplit(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	before := server.Commits()

	got := apply(t, client, network("ping", ports(2500)...))
	if len(got.Added) != 2500 {
		t.Errorf("ports added: want 2500, got %d", len(got.Added))
	}
	if got := server.Commits() - before; got != 3 {
		t.Errorf("commits: want 3, got %d", got)
	}
	if got := apply(t, client, network("ping", ports(100)...)); len(got.Removed) != 2400 {
		t.Errorf("ports removed: want 2400, got %d", len(got.Removed))
	}
	if got := server.Commits() - before; got != 6 {
		t.Errorf("commits: want 6, got %d", got)
	}
	if diff := cmp.Diff(names(ports(100)...), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

// A client that finds what another has left, with all there is in it, commits
// nothing.
func TestRestartCommitsNothing(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	want := served(network("ping", ports(20)...), "1442")
	want.TunnelKey, want.Tags, want.FDBAge, want.Guard = 77, true, 300, "udp.src == 67"
	want.Ports[3].Permit = "udp.src == 67"
	for i := range want.Ports {
		want.Ports[i].Options = map[string]string{"requested-chassis": "n1", "iface-id-ver": fmt.Sprintf("pod-%d", i)}
		want.Ports[i].TunnelKey = i + 1
	}
	want.Ports[0].Type = "localnet"
	apply(t, dial(t, server), want)
	for column, value := range map[string]string{
		"type": "localnet", "options:requested-chassis": "n1", "options:requested-tnl-key": `"1"`, `external_ids:"l2sm.io/kind"`: "L2Attachment",
	} {
		if got := server.Get("Logical_Switch_Port", port(0).Name, column); got != value {
			t.Errorf("%s of a port: want %s, got %s", column, value, got)
		}
	}
	if got := server.Get("Logical_Switch", "l2sm/default/ping", "other_config:requested-tnl-key"); got != `"77"` {
		t.Errorf("tunnel key of the switch: %s", got)
	}

	before := server.Commits()
	next := dial(t, server)
	if got := apply(t, next, want); got.Committed {
		t.Errorf("result of Apply: %+v", got)
	}
	head := want
	head.Ports = nil
	if got := applyPorts(t, next, changesOf(head, want.Ports...)); got.Committed {
		t.Errorf("result of ApplyPorts: %+v", got)
	}
	if got := server.Commits() - before; got != 0 {
		t.Errorf("commits: %d", got)
	}
}

// Rows that a version without kinds and options has written become ours as they
// are.
func TestRowsOfEarlierVersionsAreAdopted(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	server.Ctl("--id=@p", "create", "Logical_Switch_Port", `name="`+port(1).Name+`"`, `addresses="`+port(1).Addresses[0]+`"`,
		`port_security="`+port(1).PortSecurity[0]+`"`,
		`external_ids={"l2sm.io/network"="default/ping","l2sm.io/network-uid"=uid-of-ping,"l2sm.io/attachment-uid"="uid-of-attachment-1"}`, "--",
		"create", "Logical_Switch", `name="l2sm/default/ping"`, "ports=@p",
		`external_ids={"l2sm.io/network"="default/ping","l2sm.io/network-uid"=uid-of-ping}`)
	uuids := func() [2]string {
		return [2]string{
			server.Get("Logical_Switch", "l2sm/default/ping", "_uuid"), server.Get("Logical_Switch_Port", port(1).Name, "_uuid"),
		}
	}
	before := uuids()
	client := dial(t, server)

	if diff := cmp.Diff(ovn.Result{Committed: true, Changed: names(port(1))}, apply(t, client, network("ping", port(1)))); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, uuids()); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	if got := server.Get("Logical_Switch", "l2sm/default/ping", `external_ids:"l2sm.io/kind"`); got != "L2Network" {
		t.Errorf("kind of the switch's owner: %s", got)
	}
	if got := apply(t, client, network("ping", port(1))); got.Committed {
		t.Errorf("result of one more Apply: %+v", got)
	}
}
