package ovn_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// served returns the network with a set of DHCP options of each family.
func served(n ovn.Network, mtu string) ovn.Network {
	n.DHCP = []ovn.DHCP{
		{CIDR: "10.101.0.0/16", Options: map[string]string{"server_id": "169.254.1.1", "mtu": mtu}},
		{CIDR: "fd10:101::/64", Options: map[string]string{"server_id": "02:00:00:00:00:01"}},
	}
	return n
}

// sets returns the rows of DHCP_Options by their UUIDs, as ovn-nbctl reads
// them: the CIDR and the options.
func sets(s *ovntest.Server) map[string]string {
	sets := map[string]string{}
	for _, uuid := range strings.Fields(s.Ctl("--bare", "--columns=_uuid", "find", "DHCP_Options")) {
		sets[uuid] = s.Get("DHCP_Options", uuid, "cidr") + " " + s.Get("DHCP_Options", uuid, "options")
	}
	return sets
}

// setsOf returns what a port refers to: IPv4, then IPv6.
func setsOf(s *ovntest.Server, port ovn.Port) [2]string {
	return [2]string{
		s.Get("Logical_Switch_Port", port.Name, "dhcpv4_options"),
		s.Get("Logical_Switch_Port", port.Name, "dhcpv6_options"),
	}
}

// checkServed fails the test unless the server has exactly the sets of served
// with that MTU, and the ports refer to them.
func checkServed(t *testing.T, s *ovntest.Server, mtu string, ports ...ovn.Port) {
	t.Helper()
	got := sets(s)
	want := []string{
		`"10.101.0.0/16" {mtu="` + mtu + `", server_id="169.254.1.1"}`,
		`"fd10:101::/64" {server_id="02:00:00:00:00:01"}`,
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Values(got))); diff != "" {
		t.Fatalf("sets of options (-want +got):\n%s", diff)
	}
	for _, p := range ports {
		refs := setsOf(s, p)
		if diff := cmp.Diff(want, []string{got[refs[0]], got[refs[1]]}); diff != "" {
			t.Errorf("sets of %s (-want +got):\n%s", p.Name, diff)
		}
	}
}

func checkUnserved(t *testing.T, s *ovntest.Server, ports ...ovn.Port) {
	t.Helper()
	if got := sets(s); len(got) > 0 {
		t.Errorf("sets of options: %v", got)
	}
	for _, p := range ports {
		if got := setsOf(s, p); got != [2]string{"[]", "[]"} {
			t.Errorf("sets of %s: %v", p.Name, got)
		}
	}
}

func TestDHCPOnAndOff(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)

	apply(t, client, served(network("ping", port(1), port(2)), "1442"))
	checkServed(t, server, "1442", port(1), port(2))
	if got := server.Commits(); got != 1 {
		t.Errorf("commits: want 1, got %d", got)
	}
	if got := apply(t, dial(t, server), served(network("ping", port(1), port(2)), "1442")); got.Committed {
		t.Errorf("result of one more Apply: %+v", got)
	}

	rows := slices.Sorted(maps.Keys(sets(server)))
	got := apply(t, client, served(network("ping", port(1), port(2), port(3)), "1300"))
	if diff := cmp.Diff(ovn.Result{Committed: true, Added: names(port(3))}, got); diff != "" {
		t.Errorf("result with other options (-want +got):\n%s", diff)
	}
	checkServed(t, server, "1300", port(1), port(2), port(3))
	if diff := cmp.Diff(rows, slices.Sorted(maps.Keys(sets(server)))); diff != "" {
		t.Errorf("rows of the sets (-before +after):\n%s", diff)
	}

	apply(t, client, network("ping", port(1), port(2), port(3)))
	checkUnserved(t, server, port(1), port(2), port(3))
	if got := server.Commits(); got != 3 {
		t.Errorf("commits: want 3, got %d", got)
	}
}

func TestDHCPFollowsMoves(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	apply(t, client, served(network("served", port(1)), "1442"))
	apply(t, client, network("unserved", port(2)))

	apply(t, client, network("unserved", port(1), port(2)))
	if got := setsOf(server, port(1)); got != [2]string{"[]", "[]"} {
		t.Errorf("sets of the port that left: %v", got)
	}

	apply(t, client, served(network("served", port(1), port(2)), "1442"))
	checkServed(t, server, "1442", port(1), port(2))
}

func TestDHCPRepairs(t *testing.T) {
	v4 := func(edit ...string) func(*ovntest.Server) {
		return func(s *ovntest.Server) {
			s.Ctl(append([]string{"set", "DHCP_Options", setsOf(s, port(1))[0]}, edit...)...)
		}
	}
	ctl := func(args ...string) func(*ovntest.Server) {
		return func(s *ovntest.Server) { s.Ctl(args...) }
	}
	cases := map[string]struct {
		reason string
		edit   func(*ovntest.Server)
	}{
		"Gone":       {"sets removed by hand are made again, and referred to", ctl("--all", "destroy", "DHCP_Options")},
		"Option":     {"an option edited by hand is written again", v4("options:mtu=9000")},
		"MoreOption": {"an option added by hand goes: the network says what is answered", v4("options:router=10.101.0.1")},
		"CIDR":       {"a subnet edited by hand is written again", v4("cidr=10.9.0.0/16")},
		"NoCIDR":     {"also when it is none", v4("cidr=none")},
		"UID":        {"a set left by an earlier network of the name is taken over", v4(`external_ids:"l2sm.io/network-uid"=x`)},
		"Doubled": {"a second set made by hand in our name goes",
			ctl("create", "DHCP_Options", "cidr=10.101.0.0/16", `external_ids:"l2sm.io/network"="default/ping"`)},
		"PortWithout": {"a port's reference removed by hand is written again", ctl("lsp-set-dhcpv4-options", port(1).Name)},
		"SwitchGone":  {"sets outlive the switch and serve the next", ctl("ls-del", "l2sm/default/ping")},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			client := dial(t, server)
			want := served(network("ping", port(1), port(2)), "1442")
			apply(t, client, want)
			awaitChange(t, client, ovn.Change{All: true})

			tc.edit(server)
			awaitChange(t, client, ovn.Change{Key: want.Key})

			if got := apply(t, client, want); !got.Committed {
				t.Errorf("%s: nothing was committed", tc.reason)
			}
			checkServed(t, server, "1442", port(1), port(2))
			if got := apply(t, client, want); got.Committed {
				t.Errorf("%s: result of one more Apply: %+v", tc.reason, got)
			}
		})
	}
}

func TestForeignDHCPStays(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	theirs := strings.TrimSpace(server.Ctl("create", "DHCP_Options", "cidr=10.101.0.0/16"))

	apply(t, client, served(network("ping", port(1)), "1442"))
	apply(t, client, network("ping", port(1)))

	if diff := cmp.Diff(map[string]string{theirs: `"10.101.0.0/16" {}`}, sets(server)); diff != "" {
		t.Errorf("sets (-want +got):\n%s", diff)
	}
}

// Nothing else removes a set when its network has gone: the table is no part
// of the switch.
func TestDeleteRemovesDHCP(t *testing.T) {
	cases := map[string]struct {
		reason    string
		meanwhile []string
	}{
		"Whole":      {"the sets go with the switch", []string{"show"}},
		"SwitchGone": {"sets that somebody left without their switch are found and go", []string{"ls-del", "l2sm/default/ping"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewNorthbound(t)
			apply(t, dial(t, server), served(network("ping", port(1)), "1442"))
			server.Ctl(tc.meanwhile...)

			client := dial(t, server)
			awaitConnected(t, client)
			found, err := client.Networks()
			if err != nil {
				t.Fatalf("Networks: %v", err)
			}
			if diff := cmp.Diff([]ovn.Key{network("ping").Key}, found); diff != "" {
				t.Errorf("%s: networks (-want +got):\n%s", tc.reason, diff)
			}
			for _, key := range found {
				if err := client.Delete(context.Background(), key); err != nil {
					t.Fatalf("Delete: %v", err)
				}
			}
			checkUnserved(t, server)
			if got := switches(server); len(got) > 0 {
				t.Errorf("%s: switches: %v", tc.reason, got)
			}
		})
	}
}

// A network that is gone for its client has no sets either.
func TestChangesTellOfDHCPOfNoNetwork(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	awaitChange(t, client, ovn.Change{All: true})

	server.Ctl("create", "DHCP_Options", "cidr=10.101.0.0/16", `external_ids:"l2sm.io/network"="default/gone"`)

	awaitChange(t, client, ovn.Change{Key: network("gone").Key})
}
