package stretch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/stretch"
)

func node(name string, annotated string, tunnels ...string) stretch.Candidate {
	return stretch.Candidate{Name: name, Annotated: annotated, Tunnels: tunnels}
}

func TestEdgeStatus(t *testing.T) {
	a, b := node("a", "", "10.0.0.1"), node("b", "", "10.0.0.2")
	cases := map[string]struct {
		reason  string
		address string // spec.address
		last    string
		picked  []stretch.Candidate
		holder  string
		active  string
		nodes   string
		why     string // the reason of condition Ready
	}{
		"Holder":       {"the Lease says who", "", "", []stretch.Candidate{b, a}, "b", "b", "[{a 10.0.0.1 []} {b 10.0.0.2 []}]", "Ready"},
		"TakesOver":    {"and who next", "", "b", []stretch.Candidate{a, b}, "a", "a", "[{a 10.0.0.1 []} {b 10.0.0.2 []}]", "Ready"},
		"Released":     {"who was goes on until another comes", "", "b", []stretch.Candidate{a, b}, "", "b", "[{a 10.0.0.1 []} {b 10.0.0.2 []}]", "Ready"},
		"Stranger":     {"a holder that is no edge has nothing to say", "", "b", []stretch.Candidate{a, b}, "c", "b", "[{a 10.0.0.1 []} {b 10.0.0.2 []}]", "Ready"},
		"Unpicked":     {"one that is no edge any more goes on until another comes", "", "c", []stretch.Candidate{a}, "c", "c", "[{a 10.0.0.1 []}]", "AwaitsEdge"},
		"Nobody":       {"no edge has started", "", "", []stretch.Candidate{a}, "", "", "[{a 10.0.0.1 []}]", "AwaitsEdge"},
		"NoNode":       {"and none can", "", "a", nil, "a", "", "[]", "NoNode"},
		"NoAddress":    {"its agent has not reported", "", "", []stretch.Candidate{node("a", "")}, "a", "a", "[{a  []}]", "NoAddress"},
		"Annotated":    {"the administrator knows better", "", "", []stretch.Candidate{node("a", "192.0.2.1", "10.0.0.1")}, "a", "a", "[{a 192.0.2.1 []}]", "Ready"},
		"BadAddress":   {"what can't be one is passed over", "", "", []stretch.Candidate{node("a", "edge.example.com", "fe80::1", "::", "fd00::1")}, "a", "a", "[{a fd00::1 []}]", "Ready"},
		"UsualForm":    {"peers compare text", "", "", []stretch.Candidate{node("a", "2001:DB8:0::1")}, "a", "a", "[{a 2001:db8::1 []}]", "Ready"},
		"SpecAddress":  {"of the one edge", "198.51.100.1", "", []stretch.Candidate{node("a", "", "10.0.0.1")}, "a", "a", "[{a 198.51.100.1 []}]", "Ready"},
		"NodeFirst":    {"it may be of an edge that is none any more", "198.51.100.1", "", []stretch.Candidate{node("a", "192.0.2.1", "10.0.0.1")}, "a", "a", "[{a 192.0.2.1 []}]", "Ready"},
		"SpecOfOne":    {"it is no other's", "198.51.100.1", "", []stretch.Candidate{a, b}, "a", "a", "[{a 10.0.0.1 []} {b 10.0.0.2 []}]", "Ready"},
		"Families":     {"no peer has a tunnel to both", "", "", []stretch.Candidate{a, node("b", "", "fd00::2")}, "a", "a", "[{a 10.0.0.1 []} {b fd00::2 []}]", "EdgesApart"},
		"OneAddress":   {"frames would go to one of the two", "", "", []stretch.Candidate{a, node("b", "10.0.0.1")}, "a", "a", "[{a 10.0.0.1 []} {b 10.0.0.1 []}]", "EdgesApart"},
		"StandbyNone":  {"its agent has not reported, and it may come", "", "", []stretch.Candidate{a, node("b", "")}, "a", "a", "[{a 10.0.0.1 []} {b  []}]", "Ready"},
		"HolderBefore": {"a standby that was first in the order does not matter", "", "a", []stretch.Candidate{a, b}, "b", "b", "[{a 10.0.0.1 []} {b 10.0.0.2 []}]", "Ready"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			edge := &v1alpha1.L2Edge{Spec: v1alpha1.L2EdgeSpec{Address: tc.address, MTU: 1500}, Status: v1alpha1.L2EdgeStatus{Active: tc.last}}
			status, found := stretch.EdgeStatus(edge, tc.picked, tc.holder)
			if nodes := fmt.Sprint(status.Nodes); status.Active != tc.active || nodes != tc.nodes || found.Active != tc.active || (found.Why == "") != (tc.active != "") || !found.Wanted {
				t.Errorf("%s: active is %q of %s; networks follow %+v", tc.reason, status.Active, nodes, found)
			}
			if nodes := fmt.Sprint(status.Nodes); found.IPv6 != strings.Contains(nodes, "::") {
				t.Errorf("%s: of the nodes %s, the way is IPv6: %v; what fits must fit after a take-over as well", tc.reason, nodes, found.IPv6)
			}
			if ready := stretch.EdgeReady(edge.Spec.Encryption, status); ready.Reason != tc.why {
				t.Errorf("%s: got %s: %s", tc.reason, ready.Reason, ready.Message)
			}
		})
	}
}

// Edges write their public keys, and the controller its own part: it has keys stay, with the
// nodes that they are of.
func TestEdgeKeysStay(t *testing.T) {
	edge := &v1alpha1.L2Edge{
		Spec: v1alpha1.L2EdgeSpec{Encryption: v1alpha1.EncryptionWireGuard},
		Status: v1alpha1.L2EdgeStatus{Active: "a", Nodes: []v1alpha1.EdgeNode{
			{Name: "a", Address: "10.0.0.9", PublicKeys: []string{"a1", "a2"}}, {Name: "b"}, {Name: "c", PublicKeys: []string{"c1", "c2"}},
		}},
	}
	picked := []stretch.Candidate{node("a", "", "10.0.0.1"), node("b", "", "10.0.0.2"), node("d", "")}
	want := []v1alpha1.EdgeNode{{Name: "a", Address: "10.0.0.1", PublicKeys: []string{"a1", "a2"}}, {Name: "b", Address: "10.0.0.2"}, {Name: "d"}}
	status, _ := stretch.EdgeStatus(edge, picked, "a")
	if diff := cmp.Diff(want, status.Nodes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for holder, reason := range map[string]string{"a": "Ready", "b": "AwaitsKeys", "d": "NoAddress"} {
		status, _ := stretch.EdgeStatus(edge, picked, holder)
		if ready := stretch.EdgeReady(v1alpha1.EncryptionWireGuard, status); ready.Reason != reason {
			t.Errorf("%q is active: got %s: %s", holder, ready.Reason, ready.Message)
		}
		if ready := stretch.EdgeReady(v1alpha1.EncryptionNone, status); ready.Reason == "AwaitsKeys" {
			t.Errorf("%q is active, without encryption: got %s", holder, ready.Message)
		}
	}
}

// The list of nodes is bounded, whatever a selector picks.
func TestEdgeNodesAreBounded(t *testing.T) {
	var many []stretch.Candidate
	for i := range 40 {
		many = append(many, node(fmt.Sprintf("node-%02d", i), "", "10.0.0.1"))
	}
	status, _ := stretch.EdgeStatus(&v1alpha1.L2Edge{}, many, "node-39")
	if len(status.Nodes) != 16 || status.Active != "" {
		t.Errorf("got %d nodes, active %q", len(status.Nodes), status.Active)
	}
}

// What each way leaves of 1500 bytes.
func TestMTU(t *testing.T) {
	got := map[string]int32{}
	for name, e := range map[string]stretch.Edge{
		"IPv4": {}, "IPv6": {IPv6: true}, "WireGuard": {Encryption: v1alpha1.EncryptionWireGuard}, "WireGuard6": {IPv6: true, Encryption: v1alpha1.EncryptionWireGuard},
	} {
		e.Underlay = 1500
		got[name] = e.MTU()
	}
	want := map[string]int32{"IPv4": 1450, "IPv6": 1430, "WireGuard": 1370, "WireGuard6": 1350}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
