package ovn_test

import (
	"context"
	"encoding/csv"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// Whatever was applied, deleted and edited by hand before, after one Apply of
// each network the server holds exactly what they say.
func TestConverges(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	keys := []string{"a", "b", "c"}

	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(0, 4).Draw(r, "steps") {
			disturb(r, t, server, client, rapid.SampledFrom(keys).Draw(r, "network"))
		}

		// Each port on one network at most.
		want := map[string][]string{}
		nets := map[string]*ovn.Network{}
		for _, key := range keys {
			n := network(key)
			if rapid.Bool().Draw(r, "with DHCP") {
				n = served(n, rapid.SampledFrom([]string{"1300", "1442"}).Draw(r, "mtu"))
			}
			nets[key] = &n
			want[n.Switch()] = nil
		}
		for i := range 6 {
			if key := rapid.SampledFrom(append(keys, "")).Draw(r, "network of a port"); key != "" {
				p := variant(r, port(i))
				nets[key].Ports = append(nets[key].Ports, p)
				want[nets[key].Switch()] = append(want[nets[key].Switch()], p.Name+" "+strings.Join(p.Addresses, ","))
			}
		}

		// The second round is for ports that an earlier network lost to a later.
		for range 2 {
			for _, key := range keys {
				apply(t, client, *nets[key])
			}
		}
		if diff := cmp.Diff(want, shown(server)); diff != "" {
			r.Errorf("the server's contents (-want +got):\n%s", diff)
		}
		checkAnswers(r, server, nets)
		for _, key := range keys {
			if got := apply(t, client, *nets[key]); got.Committed {
				r.Errorf("one more Apply of %s: %+v", key, got)
			}
		}
	})
}

// disturb does something to one network: through the client or by hand.
func disturb(r *rapid.T, t *testing.T, server *ovntest.Server, client *ovn.Client, name string) {
	n := network(name)
	sw, victim := n.Switch(), port(rapid.IntRange(0, 5).Draw(r, "victim")).Name
	switch rapid.SampledFrom([]string{"apply", "delete", "change", "del", "rename", "edit", "orphan", "unserve", "mute"}).Draw(r, "disturbance") {
	case "apply":
		n.UID = rapid.SampledFrom([]string{"uid-1", "uid-2"}).Draw(r, "uid")
		for i := range rapid.IntRange(0, 6).Draw(r, "ports") {
			n.Ports = append(n.Ports, variant(r, port(i)))
		}
		if rapid.Bool().Draw(r, "served") {
			n = served(n, "1442")
		}
		apply(t, client, n)
	case "change":
		ch := changesOf(n, variant(r, port(rapid.IntRange(0, 5).Draw(r, "set"))))
		if ch.Set[0].Name != victim {
			ch.Remove = []string{victim}
		}
		applyPorts(t, client, ch)
	case "delete":
		if err := client.Delete(context.Background(), n.Key); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	case "del":
		server.Ctl("--if-exists", "ls-del", sw)
	case "rename":
		server.Ctl("--if-exists", "set", "Logical_Switch", sw, "name=renamed-"+name)
	case "edit":
		server.Ctl("--if-exists", "set", "Logical_Switch_Port", victim, "addresses=unknown", `external_ids:"l2sm.io/network-uid"=x`)
	case "orphan":
		server.Ctl("--if-exists", "lsp-del", victim)
	case "unserve":
		server.Ctl("--all", "destroy", "DHCP_Options")
	case "mute":
		server.Ctl("--if-exists", "clear", "Logical_Switch_Port", victim, "dhcpv4_options")
	}
}

// checkAnswers fails the test unless the server has the networks' sets of DHCP
// options and no other, and each port refers to its own network's.
func checkAnswers(r *rapid.T, server *ovntest.Server, nets map[string]*ovn.Network) {
	r.Helper()
	sets := map[string]string{} // network and subnet by UUID
	for _, row := range table(server, "DHCP_Options", "_uuid", "cidr", "external_ids") {
		for id := range strings.FieldsSeq(row[2]) {
			if network, is := strings.CutPrefix(id, "l2sm.io/network="); is {
				sets[row[0]] = network + " " + row[1]
			}
		}
	}
	got := map[string][]string{}
	for _, row := range table(server, "Logical_Switch_Port", "name", "dhcpv4_options", "dhcpv6_options") {
		got[row[0]] = []string{sets[row[1]], sets[row[2]]}
	}

	count, want := 0, map[string][]string{}
	for _, n := range nets {
		count += len(n.DHCP)
		for _, p := range n.Ports {
			want[p.Name] = []string{"", ""}
			for i, set := range n.DHCP {
				want[p.Name][i] = n.String() + " " + set.CIDR
			}
		}
	}
	if len(sets) != count {
		r.Errorf("want %d sets of DHCP options, got %v", count, sets)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("sets that ports refer to (-want +got):\n%s", diff)
	}
}

// table returns the columns of all rows, as ovn-nbctl reads them.
func table(s *ovntest.Server, name string, columns ...string) [][]string {
	out := s.Ctl("--bare", "--format=csv", "--no-headings", "--columns="+strings.Join(columns, ","), "list", name)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		panic(err)
	}
	return rows
}

// variant returns the port with one of two sets of addresses.
func variant(r *rapid.T, p ovn.Port) ovn.Port {
	if rapid.Bool().Draw(r, "without ipam") {
		mac, _, _ := strings.Cut(p.Addresses[0], " ")
		p.Addresses = []string{mac, "unknown"}
		p.PortSecurity = []string{mac}
	}
	return p
}

var showLine = regexp.MustCompile(`^(switch|    port|        addresses:) (?:[0-9a-f-]+ \((.*)\)|(.*))$`)

// shown returns each switch's ports with their addresses, as ovn-nbctl shows
// them.
func shown(s *ovntest.Server) map[string][]string {
	shown := map[string][]string{}
	sw := ""
	for line := range strings.Lines(s.Ctl("show")) {
		match := showLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch strings.TrimSpace(match[1]) {
		case "switch":
			sw = match[2]
			shown[sw] = nil
		case "port":
			shown[sw] = append(shown[sw], match[3])
		case "addresses:":
			last := len(shown[sw]) - 1
			shown[sw][last] += " " + strings.NewReplacer(`[`, "", `]`, "", `"`, "", ", ", ",").Replace(match[3])
		}
	}
	for _, ports := range shown {
		slices.Sort(ports)
	}
	return shown
}
