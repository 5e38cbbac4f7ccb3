package ovn_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func registration(name, address string) ovn.Registration {
	return ovn.Registration{Chassis: name, Address: netip.MustParseAddr(address)}
}

// fillSouthbound writes what northd does, with ports in states of all kinds.
func fillSouthbound(server *ovntest.Server) {
	args := []string{"set", "SB_Global", ".", "nb_cfg=1", "external_ids:theirs=stays", "--", "--id=@d", "create", "Datapath_Binding", "tunnel_key=7"}
	for i, port := range []string{
		"pod-a requested-chassis=node-a", "other-a requested-chassis=node-a", "patch requested-chassis=node-a type=patch",
		"edge-a l2gateway-chassis=node-a type=l2gateway", "pod-b requested-chassis=node-b", "pod-c requested-chassis=node-c", "free mtu=1",
	} {
		fields := strings.Fields(port)
		args = append(args, "--", "create", "Port_Binding", "datapath=@d", "tunnel_key="+string(rune('1'+i)), "logical_port="+fields[0], "options:"+fields[1])
		args = append(args, fields[2:]...)
	}
	server.Ctl(args...)
}

// bound is the port's chassis, empty for none.
func bound(server *ovntest.Server, port string) string {
	uuid := strings.TrimSpace(server.Ctl("--bare", "--columns=chassis", "find", "Port_Binding", "logical_port="+port))
	if uuid == "" {
		return ""
	}
	return strings.Trim(server.Get("Chassis", uuid, "name"), `"`)
}

func columnOf(server *ovntest.Server, table, column string) string {
	return strings.Join(strings.Fields(server.Ctl("--bare", "--columns="+column, "list", table)), " ")
}

// Nodes without a chassis get what their ovn-controllers would write, once, and no
// port gets another chassis than it has.
func TestRegister(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	fillSouthbound(server)
	addChassis(server, "node-b", "192.0.2.2", ovn.ChassisMark)
	addChassis(server, "other", "192.0.2.9", "theirs")
	server.Ctl("lsp-bind", "other-a", "other")
	sb := dialSouthbound(t, server)
	NewWithT(t).Eventually(sb.Filled(), patience).Should(Receive())

	nodes := []ovn.Registration{registration("node-a", "fd00::1"), registration("node-b", "192.0.2.22"), registration("node-d", "192.0.2.4")}
	done, err := sb.Register(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ovn.Registered{Chassis: 2, Ports: 2}, done); diff != "" {
		t.Errorf("what it says it did (-want +got):\n%s", diff)
	}
	for port, want := range map[string]string{
		"pod-a": "node-a", "other-a": "other", "patch": "", "edge-a": "node-a", "pod-b": "", "pod-c": "", "free": "",
	} {
		if got := bound(server, port); got != want {
			t.Errorf("port %s has the chassis %q, want %q", port, got, want)
		}
	}
	encap := strings.TrimSpace(server.Ctl("--bare", "--columns=encaps", "find", "Chassis", "name=node-a"))
	for column, want := range map[string]string{"ip": `"fd00::1"`, "type": "geneve", "chassis_name": "node-a", "options": `{csum="true"}`} {
		if got := server.Get("Encap", encap, column); got != want {
			t.Errorf("%s of its tunnel's end is %s, want %s", column, got, want)
		}
	}
	if got := server.Get("Chassis", "node-a", "hostname"); got != "node-a" {
		t.Errorf("its hostname is %s", got)
	}
	if got := columnOf(server, "SB_Global", "external_ids"); got != "l2sm-registered=true theirs=stays" {
		t.Errorf("the database's marks: %s", got)
	}
	if got, err := sb.Chassis(); err != nil || !cmp.Equal(got, []string{"node-a", "node-b", "node-d"}) {
		t.Errorf("those that go with their nodes: %v, %v", got, err)
	}

	before := server.Commits()
	again, err := sb.Register(t.Context(), append(nodes, registration("late", "192.0.2.5")))
	if err != nil || !cmp.Equal(again, ovn.Registered{}) || server.Commits() != before {
		t.Errorf("in the same database once more: %v, %v, %d commits", again, err, server.Commits()-before)
	}
}

// One node's lie keeps out itself, and at most the one whose address it claims.
func TestRegisterLiar(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	fillSouthbound(server)
	addChassis(server, "foreign", "192.0.2.9", "theirs")
	sb := dialSouthbound(t, server)
	NewWithT(t).Eventually(sb.Filled(), patience).Should(Receive())
	done, err := sb.Register(t.Context(), []ovn.Registration{
		registration("node-a", "192.0.2.1"), registration("victim", "192.0.2.2"), registration("liar", "192.0.2.2"), registration("late", "192.0.2.9"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ovn.Registered{Chassis: 1, Ports: 2 + 1, Disputed: []string{"late", "liar", "victim"}}, done); diff != "" {
		t.Errorf("what it says it did (-want +got):\n%s", diff)
	}
	if got, err := sb.Chassis(); err != nil || !cmp.Equal(got, []string{"node-a"}) {
		t.Errorf("registered: %v, %v", got, err)
	}
}

// A database is told of when northd has filled it, and not again when nodes are
// registered; one that is not filled is left alone.
func TestFilled(t *testing.T) {
	g := NewWithT(t)
	server := ovntest.NewSouthbound(t)
	sb := dialSouthbound(t, server)
	g.Eventually(sb.Connected, patience, time.Millisecond).Should(BeTrue())
	before := server.Commits()
	if done, err := sb.Register(t.Context(), []ovn.Registration{registration("node-a", "192.0.2.1")}); err != nil || done.Chassis != 0 || server.Commits() != before {
		t.Errorf("in a database that is not filled: %v, %v, %d commits", done, err, server.Commits()-before)
	}
	for _, happens := range []func(){func() {}, server.Wipe} {
		happens()
		g.Consistently(sb.Filled(), 100*time.Millisecond).ShouldNot(Receive())
		fillSouthbound(server)
		g.Eventually(sb.Filled(), patience).Should(Receive())
		g.Eventually(func() int {
			done, err := sb.Register(t.Context(), []ovn.Registration{registration("node-a", "192.0.2.1")})
			g.Expect(err).NotTo(HaveOccurred())
			return done.Chassis
		}, patience).Should(Equal(1))
		server.Ctl("set", "SB_Global", ".", "nb_cfg=2")
		g.Consistently(sb.Filled(), 100*time.Millisecond).ShouldNot(Receive())
	}
	server.Stop()
	g.Eventually(sb.Connected, patience, time.Millisecond).Should(BeFalse())
	if _, err := sb.Register(context.Background(), nil); !errors.Is(err, ovn.ErrNotConnected) {
		t.Errorf("without a server: %v", err)
	}
}
