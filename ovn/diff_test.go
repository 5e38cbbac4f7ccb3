package ovn

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// desired is what the cases of TestDiff want: network default/ping with the
// ports a and b.
var desired = Network{
	Key:   Key{Namespace: "default", Name: "ping"},
	UID:   "uid",
	Guard: "icmp6.type == 134",
	Tags:  true,
	Ports: []Port{
		{Name: "l2sm/default/b", Owner: "uid-b", Addresses: []string{"0a:58:00:00:00:0b", "unknown"}},
		{Name: "l2sm/default/a", Owner: "uid-a", Addresses: []string{"0a:58:00:00:00:0a 10.0.0.1"}, PortSecurity: []string{"0a:58:00:00:00:0a 10.0.0.1"}},
	},
}

// held is what a database holds of a network.
type held struct {
	sw      *switchRow
	surplus []switchRow
	foreign bool
	ports   []portRow
	dhcp    []dhcpRow
	acls    []aclRow
}

func (h held) state() State {
	return State{rows: []rows{
		switchRows{sw: h.sw, surplus: h.surplus, foreign: h.foreign, uuid: "new switch"},
		dhcpRows{rows: h.dhcp, uuid: [2]string{"new v4 set", "new v6 set"}},
		portRows(h.ports),
		aclRows{rows: h.acls, uuid: newACLs},
	}}
}

// newACLs are the UUIDs of ACLs that are created, by port.
var newACLs = func() map[string]string {
	uuids := map[string]string{"": "new guard"}
	for _, name := range someNames {
		uuids[name] = "new permit of " + name
	}
	return uuids
}()

// diff is Diff of what a database holds.
func diff(n Network, h held) (Plan, error) {
	return Diff(n, h.state())
}

// holding returns the state of a database that holds the network, with the
// rows changed by edits.
func holding(n Network, edits ...func(*held)) held {
	s := held{sw: &switchRow{UUID: "sw", Name: n.Switch(), OtherConfig: configOf(n), ExternalIDs: networkIDs(n)}}
	var dhcp refs
	for _, set := range n.DHCP {
		uuid := "row-of-" + set.CIDR
		dhcp[must(familyOf(set.CIDR))] = uuid
		s.dhcp = append(s.dhcp, setFor(n, set, uuid))
	}
	for _, p := range n.Ports {
		s.ports = append(s.ports, portRow{
			uuid: "row-of-" + p.Name, name: p.Name, kind: p.Type, ids: portIDs(n, p), options: optionsOf(p),
			addresses: p.Addresses, security: p.PortSecurity, dhcp: dhcp,
		})
	}
	for what, w := range (aclRows{}).wanted(n) {
		s.acls = append(s.acls, aclRow{uuid: "acl of " + what, rule: w.rule, ids: w.ids})
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func TestDiff(t *testing.T) {
	other := switchRow{UUID: "other", Name: "l2sm/default/pong"}
	both := []string{"l2sm/default/a", "l2sm/default/b"}

	cases := map[string]struct {
		reason string
		actual held
		want   Result
	}{
		"Nothing": {
			reason: "an empty database gets the switch and all ports",
			actual: held{},
			want:   Result{Committed: true, Added: both},
		},
		"Same": {
			reason: "a database that holds the network needs no transaction",
			actual: holding(desired),
			want:   Result{},
		},
		"OrderOfSets": {
			reason: "columns are sets: their order is the server's business",
			actual: holding(desired, func(s *held) {
				s.ports[0].addresses = []string{"unknown", "0a:58:00:00:00:0b"}
				s.ports[0], s.ports[1] = s.ports[1], s.ports[0]
			}),
			want: Result{},
		},
		"OthersNotes": {
			reason: "keys of other people in external_ids are none of our business",
			actual: holding(desired, func(s *held) {
				s.sw.ExternalIDs["note"] = "lab"
				s.ports[0].ids["note"] = "mine"
			}),
			want: Result{},
		},
		"OthersPorts": {
			reason: "a port without our external_ids stays, also on our switch",
			actual: holding(desired, func(s *held) {
				s.ports = append(s.ports, portRow{uuid: "x", name: "uplink"})
			}),
			want: Result{},
		},
		"Addresses": {
			reason: "edited addresses are written again",
			actual: holding(desired, func(s *held) { s.ports[1].addresses = []string{"unknown"} }),
			want:   Result{Committed: true, Changed: []string{"l2sm/default/a"}},
		},
		"PortSecurity": {
			reason: "removed port security is written again",
			actual: holding(desired, func(s *held) { s.ports[1].security = nil }),
			want:   Result{Committed: true, Changed: []string{"l2sm/default/a"}},
		},
		"NewAttachmentSameName": {
			reason: "a port whose attachment was re-created under its name gets the new owner",
			actual: holding(desired, func(s *held) { s.ports[0].ids[attachmentUIDID] = "uid-of-the-old" }),
			want:   Result{Committed: true, Changed: []string{"l2sm/default/b"}},
		},
		"PortType": {
			reason: "a type set by hand is written again",
			actual: holding(desired, func(s *held) { s.ports[1].kind = "localnet" }),
			want:   Result{Committed: true, Changed: []string{"l2sm/default/a"}},
		},
		"PortOptions": {
			reason: "the column options is ours as a whole: keys of others go",
			actual: holding(desired, func(s *held) { s.ports[1].options = map[string]string{"requested-chassis": "n1"} }),
			want:   Result{Committed: true, Changed: []string{"l2sm/default/a"}},
		},
		"PortWithoutKind": {
			reason: "a row of a version that wrote no kind is adopted",
			actual: holding(desired, func(s *held) { delete(s.ports[1].ids, ownerKindID) }),
			want:   Result{Committed: true, Changed: []string{"l2sm/default/a"}},
		},
		"SwitchWithoutKind": {
			reason: "so is a switch",
			actual: holding(desired, func(s *held) { delete(s.sw.ExternalIDs, ownerKindID) }),
			want:   Result{Committed: true},
		},
		"SwitchTunnelKey": {
			reason: "a tunnel key that nobody wants is no longer requested",
			actual: holding(desired, func(s *held) { s.sw.OtherConfig[tunnelKey] = "7" }),
			want:   Result{Committed: true},
		},
		"SwitchConfigOfOthers": {
			reason: "the switch's other configuration is none of our business",
			actual: holding(desired, func(s *held) { s.sw.OtherConfig["mcast_snoop"] = "true" }),
			want:   Result{},
		},
		"SwitchWithoutTags": {
			reason: "what lets frames with VLAN tags pass is there again",
			actual: holding(desired, func(s *held) { delete(s.sw.OtherConfig, passthru) }),
			want:   Result{Committed: true},
		},
		"Unguarded": {
			reason: "a guard that was removed is there again",
			actual: holding(desired, func(s *held) { s.acls = nil }),
			want:   Result{Committed: true},
		},
		"GuardEdited": {
			reason: "a guard that somebody had let all pass drops again",
			actual: holding(desired, func(s *held) { s.acls[0].rule.action = "allow" }),
			want:   Result{Committed: true},
		},
		"GuardTwice": {
			reason: "a second guard of the network is removed",
			actual: holding(desired, func(s *held) {
				again := s.acls[0]
				again.uuid = "zz"
				s.acls = append(s.acls, again)
			}),
			want: Result{Committed: true},
		},
		"PermitOfNobody": {
			reason: "a port that lost its role is permitted nothing",
			actual: holding(desired, func(s *held) {
				p := Port{Name: "l2sm/default/a", Owner: "uid-a", Permit: "1"}
				s.acls = append(s.acls, aclRow{"permit", permitRule(p.Name, p.Permit), permitIDs(desired, p)})
			}),
			want: Result{Committed: true},
		},
		"PortOfNoAttachment": {
			reason: "a port of ours that nobody wants any more goes",
			actual: holding(desired, func(s *held) {
				s.ports = append(s.ports, portRow{uuid: "x", name: "l2sm/default/gone", ids: map[string]string{networkID: "default/ping"}})
			}),
			want: Result{Committed: true, Removed: []string{"l2sm/default/gone"}},
		},
		"PortElsewhere": {
			reason: "a port on another switch is moved, and its row kept",
			actual: holding(desired, func(s *held) { s.ports[0].elsewhere = []switchRow{other} }),
			want:   Result{Committed: true, Moved: []string{"l2sm/default/b"}},
		},
		"PortElsewhereNoSwitch": {
			reason: "a port can be moved to the switch that the same transaction makes",
			actual: held{ports: []portRow{{uuid: "x", name: "l2sm/default/b", ids: map[string]string{networkID: "default/pong"}, elsewhere: []switchRow{other}}}},
			want:   Result{Committed: true, Added: []string{"l2sm/default/a"}, Moved: []string{"l2sm/default/b"}},
		},
		"SwitchOfOldNetwork": {
			reason: "a switch left by a deleted network of the same name is taken over",
			actual: holding(desired, func(s *held) { s.sw.ExternalIDs[networkUIDID] = "uid-of-the-old" }),
			want:   Result{Committed: true},
		},
		"SwitchRenamed": {
			reason: "a switch of ours that was renamed gets its name back",
			actual: holding(desired, func(s *held) { s.sw.Name = "renamed" }),
			want:   Result{Committed: true},
		},
		"DHCPOfNobody": {
			reason: "options of a network that has none any more are removed, also where no port refers to them",
			actual: holding(desired, func(s *held) {
				s.dhcp = []dhcpRow{setFor(desired, DHCP{CIDR: "10.0.0.0/24"}, "left")}
			}),
			want: Result{Committed: true},
		},
		"SwitchTwice": {
			reason: "a second switch of the network is removed",
			actual: holding(desired, func(s *held) { s.surplus = []switchRow{{UUID: "y"}} }),
			want:   Result{Committed: true},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			plan, err := diff(desired, tc.actual)
			if err != nil {
				t.Fatalf("%s: Diff: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, plan.result()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if empty := plan.operations() == nil; empty == tc.want.Committed {
				t.Errorf("%s: operations are empty: %t", tc.reason, empty)
			}
		})
	}
}

func TestDiffRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		actual held
		want   ForeignError
	}{
		"Switch": {
			reason: "somebody else's switch of the network's name is neither taken over nor doubled",
			actual: held{foreign: true},
			want:   ForeignError{Kind: "logical switch", Name: "l2sm/default/ping"},
		},
		"Port": {
			reason: "somebody else's port of an attachment's name is not rewritten",
			actual: holding(desired, func(s *held) { s.ports[0].ids = map[string]string{"k8s": "pod"} }),
			want:   ForeignError{Kind: "logical switch port", Name: "l2sm/default/b"},
		},
		"PortElsewhere": {
			reason: "nor is it moved",
			actual: holding(desired, func(s *held) {
				s.ports[0].ids = nil
				s.ports[0].elsewhere = []switchRow{{UUID: "other"}}
			}),
			want: ForeignError{Kind: "logical switch port", Name: "l2sm/default/b"},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			plan, err := diff(desired, tc.actual)
			var foreign *ForeignError
			if !errors.As(err, &foreign) {
				t.Fatalf("%s: want a ForeignError, got %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, *foreign); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if !plan.Empty() {
				t.Errorf("%s: the plan is not empty", tc.reason)
			}
		})
	}
}
