package ovn_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func remote(name, address string) ovn.Remote {
	return ovn.Remote{Name: name, Hostname: "host-of-" + name, Address: address}
}

// remotes are the remote chassis of the database with their addresses.
func remotes(s *ovntest.Server) []string {
	var all []string
	for _, name := range strings.Fields(s.Ctl("--bare", "--columns=name", "find", "Chassis", "other_config:is-remote=true")) {
		all = append(all, name+" "+strings.TrimSpace(s.Ctl("--bare", "--columns=ip", "find", "Encap", "chassis_name="+name)))
	}
	slices.Sort(all)
	return all
}

func TestRemotes(t *testing.T) {
	a, b := remote("node-a", "192.0.2.1"), remote("node-b", "192.0.2.2")
	swapped := []ovn.Remote{remote("node-a", "192.0.2.2"), remote("node-b", "192.0.2.1")}
	cases := map[string]struct {
		reason       string
		before, want []ovn.Remote
		keep         bool
		rows         []string
		commits      int
	}{
		"Added":     {"what is missing is made", nil, []ovn.Remote{a, b}, false, []string{"node-a 192.0.2.1", "node-b 192.0.2.2"}, 1},
		"Same":      {"what is there costs nothing", []ovn.Remote{a, b}, []ovn.Remote{b, a}, false, []string{"node-a 192.0.2.1", "node-b 192.0.2.2"}, 0},
		"Gone":      {"what nobody needs goes", []ovn.Remote{a, b}, []ovn.Remote{b}, false, []string{"node-b 192.0.2.2"}, 1},
		"Kept":      {"who does not know all yet removes nothing", []ovn.Remote{a}, []ovn.Remote{b}, true, []string{"node-a 192.0.2.1", "node-b 192.0.2.2"}, 1},
		"Readdress": {"a node's tunnels start elsewhere", []ovn.Remote{a}, []ovn.Remote{remote("node-a", "2001:db8::1")}, false, []string{"node-a 2001:db8::1"}, 1},
		"Exchanged": {"the database holds each address once", []ovn.Remote{a, b}, swapped, false, []string{"node-a 192.0.2.2", "node-b 192.0.2.1"}, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewSouthbound(t)
			r := dialZone(t, server)
			for i, want := range [][]ovn.Remote{tc.before, tc.want} {
				commits := server.Commits()
				foreign, err := r.ApplyRemotes(context.Background(), want, !tc.keep)
				if err != nil || len(foreign) > 0 {
					t.Fatalf("ApplyRemotes = %v, %v", foreign, err)
				}
				if got := server.Commits() - commits; i == 1 && got != tc.commits {
					t.Errorf("%s: %d transactions, want %d", tc.reason, got, tc.commits)
				}
			}
			if diff := cmp.Diff(tc.rows, remotes(server)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if got := strings.Count(server.Ctl("list", "Encap"), "_uuid"); got != len(tc.rows) {
				t.Errorf("%d encapsulations are left, want one each", got)
			}
		})
	}
}

// A node's own chassis, and whatever another program made, is nobody's to change.
func TestRemotesLeaveOthers(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	addChassis(server, "local", "192.0.2.9", ovn.ChassisMark)
	for i, name := range []string{"theirs", "unasked"} {
		server.Ctl("chassis-add", name, "geneve", fmt.Sprintf("192.0.2.%d", 7+i), "--", "set", "Chassis", name, "other_config:is-remote=true")
	}
	r := dialZone(t, server)
	before := server.Ctl("list", "Chassis")
	foreign, err := r.ApplyRemotes(context.Background(), []ovn.Remote{remote("local", "192.0.2.1"), remote("theirs", "192.0.2.2")}, true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"local", "theirs"}, foreign); diff != "" {
		t.Errorf("what stands in the way (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, server.Ctl("list", "Chassis")); diff != "" {
		t.Errorf("others' chassis (-before +after):\n%s", diff)
	}
}

// A writer learns that its rows are gone: a wiped database, or a person.
func TestRemotesChanges(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	r := dialZone(t, server)
	want := []ovn.Remote{remote("node-a", "192.0.2.1")}
	if _, err := r.ApplyRemotes(context.Background(), want, true); err != nil {
		t.Fatal(err)
	}
	for what, lose := range map[string]func(){"wiped": server.Wipe, "removed": func() { server.Ctl("--if-exists", "chassis-del", "node-a") }} {
		quiet(r)
		lose()
		NewWithT(t).Eventually(func() []string {
			select {
			case <-r.Changes():
				_, _ = r.ApplyRemotes(context.Background(), want, true) // the next change tries again
			default:
			}
			return remotes(server)
		}, patience, "5ms").Should(Equal([]string{"node-a 192.0.2.1"}), what)
	}
}

// quiet takes what is told of the client's own writes.
func quiet(r *ovn.Zone) {
	for {
		select {
		case <-r.Changes():
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

func dialZone(t *testing.T, s *ovntest.Server) *ovn.Zone {
	t.Helper()
	r, err := ovn.DialZone(context.Background(), ovn.Config{Endpoints: []string{s.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	NewWithT(t).Eventually(r.Changes(), patience, time.Millisecond).Should(Receive())
	return r
}

func TestTunnelKeys(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	z := dialZone(t, server)
	for i, name := range []string{"l2sm/default/net", "theirs", "l2sm/not-a-network"} {
		server.Ctl("create", "Datapath_Binding", fmt.Sprintf("tunnel_key=%d", 16_000_001+i), "external_ids:name="+name)
	}
	NewWithT(t).Eventually(func() (map[ovn.Key]int, error) { return z.TunnelKeys() }, patience, "1ms").
		Should(Equal(map[ovn.Key]int{{Namespace: "default", Name: "net"}: 16_000_001}))
}
