package controllers

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/overlap"
	"l2sm.io/l2sm/internal/peers"
	"l2sm.io/l2sm/ovn"
)

// refusedFor are the facts of a network whose newest spec is not in force.
func refusedFor(c metav1.Condition) reportFacts {
	return reportFacts{Report: admission.Report{Refused: admission.Refuse(c)}}
}

// inServices are the overlaps of a network with the Services that an object names.
func inServices(object string) []overlap.Overlap {
	cidr := netip.MustParsePrefix("10.96.0.0/16")
	return []overlap.Overlap{{Subnet: cidr, Range: overlap.Range{Kind: overlap.Services, Prefix: cidr, Object: object}}}
}

// besidePeers is what a network of OVN-Kubernetes' name and addresses meets.
var besidePeers = peers.Found{SameName: `UserDefinedNetwork "lab/net"`, Overlaps: []overlap.Overlap{{
	Subnet: netip.MustParsePrefix("10.1.0.0/16"), Range: overlap.Range{Kind: overlap.Peers, Prefix: netip.MustParsePrefix("10.0.0.0/8"), Object: "lab/net"},
}}}

// A warning that names another range than before is not told again: ranges come
// and go with nodes, and each network on them would tell of each.
func TestOverlapIsToldOnce(t *testing.T) {
	said := func(reason, object string) []metav1.Condition {
		return []metav1.Condition{v1alpha1.NetworkAccepted(), v1alpha1.NetworkOverlaps(reason, overlap.Describe(inServices(object)))}
	}
	cases := map[string]struct {
		reason      string
		before, now []metav1.Condition
		want        int
	}{
		"First":   {"it is news", []metav1.Condition{v1alpha1.NetworkAccepted()}, said("OverlapsPods", "a"), 1},
		"Another": {"another node is named", said("OverlapsPods", "a"), said("OverlapsPods", "b"), 0},
		"Worse":   {"the Services now, too", said("OverlapsPods", "a"), said("OverlapsServices", "a"), 1},
		"Over":    {"nothing is left to tell", said("OverlapsPods", "a"), []metav1.Condition{v1alpha1.NetworkAccepted()}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if events := newEvents(tc.before, tc.now, nil); len(events) != tc.want {
				t.Errorf("%s: got %v, want %d events", tc.reason, events, tc.want)
			}
		})
	}
}

// However long the names, the message and the event are such as the API takes.
func TestOverlapMessageIsBounded(t *testing.T) {
	var many []overlap.Overlap
	for range 3 {
		many = append(many, inServices(strings.Repeat("é", 20_000))...)
	}
	c := v1alpha1.NetworkOverlaps("OverlapsServices", overlap.Describe(many))
	events := newEvents(nil, []metav1.Condition{c}, nil)
	if len(c.Message) > 32768 || len(events) != 1 || len(events[0].Message) > 1024 || !utf8.ValidString(events[0].Message) {
		t.Errorf("%d bytes, and events of %v", len(c.Message), events)
	}
}

func TestNetworkConditions(t *testing.T) {
	large := int32(9000)
	now := metav1.Now()
	taken := v1alpha1.TunnelKeyTaken(key("lab", "net"), 7, key("lab", "other"))
	none := v1alpha1.NoTunnelKey("7-7")
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Network)
		facts  reportFacts
		want   map[string]string // condition: reason
		events []string
	}{
		"Good": {
			"all is well", func(*v1alpha1.L2Network) {}, reportFacts{},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready"}, nil,
		},
		"Keyed": {
			"nodes write it to their own databases", func(*v1alpha1.L2Network) {}, reportFacts{key: 7, byNodes: true},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready"}, nil,
		},
		"KeyTaken": {
			"two networks with one key would mix", func(n *v1alpha1.L2Network) { n.Status.TunnelKey = 7 }, reportFacts{key: 7, keyless: &taken},
			map[string]string{"Accepted": "Accepted", "Programmed": "TunnelKeyTaken", "Ready": "TunnelKeyTaken"}, []string{"TunnelKeyTaken"},
		},
		"NoKey": {
			"without a key no node can have it", func(*v1alpha1.L2Network) {}, reportFacts{keyless: &none},
			map[string]string{"Accepted": "Accepted", "Programmed": "NoTunnelKey", "Ready": "NoTunnelKey"}, []string{"NoTunnelKey"},
		},
		"LargeMTU": {
			"a spec that can't be used is not in force", func(n *v1alpha1.L2Network) { n.Spec.MTU = &large }, refusedFor(v1alpha1.MTUTooLarge(large, 1442)),
			map[string]string{"Accepted": "MTUTooLarge", "Programmed": "NotAccepted", "Ready": "MTUTooLarge"}, []string{"MTUTooLarge"},
		},
		"Stranded": {
			"nor is one that would strand addresses", func(*v1alpha1.L2Network) {}, refusedFor(v1alpha1.NetworkInvalid(errors.New("strands a"))),
			map[string]string{"Accepted": "Invalid", "Programmed": "NotAccepted", "Ready": "Invalid"}, []string{"Invalid"},
		},
		"Away": {
			"the database can't be reached", func(*v1alpha1.L2Network) {}, reportFacts{program: program{err: ovn.ErrNotConnected}},
			map[string]string{"Accepted": "Accepted", "Programmed": "NorthboundUnavailable", "Ready": "NorthboundUnavailable"}, nil,
		},
		"Foreign": {
			"somebody else's row is in the way", func(*v1alpha1.L2Network) {}, reportFacts{program: program{err: &ovn.ForeignError{Kind: "switch", Name: "l2sm/lab/net"}}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Failed", "Ready": "Failed"}, nil,
		},
		"InUse": {
			"a deletion waits and says for whom", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, reportFacts{users: []string{"default/a"}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "Deleting": "InUse"}, []string{"InUse"},
		},
		"Overlaps": {
			"addresses that the cluster has too are a warning, and the network works", func(*v1alpha1.L2Network) {}, reportFacts{overlaps: inServices("kubernetes")},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "Overlaps": "OverlapsServices"}, []string{"OverlapsServices"},
		},
		"Peers": {
			"so are OVN-Kubernetes' own networks", func(*v1alpha1.L2Network) {}, reportFacts{peers: peerFacts{Found: besidePeers}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "Overlaps": "OverlapsOVNKubernetes", "SameName": "SameName"},
			[]string{"OverlapsOVNKubernetes", "SameName"},
		},
		"PeersAndCluster": {
			"what is worse is the reason", func(*v1alpha1.L2Network) {}, reportFacts{overlaps: inServices("kubernetes"), peers: peerFacts{Found: besidePeers}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "Overlaps": "OverlapsServices", "SameName": "SameName"},
			[]string{"OverlapsServices", "SameName"},
		},
		"ClusterUnread": {
			"what the cluster had is known at once", func(n *v1alpha1.L2Network) {
				n.Status.Conditions = append(n.Status.Conditions, v1alpha1.NetworkOverlaps("OverlapsPods", "x"))
			}, reportFacts{peers: peerFacts{unknown: true}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready"}, nil,
		},
		"OverlapRefused": {
			"where they are refused, one event says so", func(*v1alpha1.L2Network) {},
			reportFacts{Report: refusedFor(v1alpha1.NetworkOverlapRefused("OverlapsServices", "x")).Report, overlaps: inServices("kubernetes")},
			map[string]string{"Accepted": "OverlapsServices", "Programmed": "NotAccepted", "Ready": "OverlapsServices", "Overlaps": "OverlapsServices"}, []string{"OverlapsServices"},
		},
		"OverlapOver": {
			"the warning goes with the overlap", func(n *v1alpha1.L2Network) {
				n.Status.Conditions = []metav1.Condition{v1alpha1.NetworkOverlaps("OverlapsNodes", "x")}
			}, reportFacts{},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready"}, nil,
		},
		"AttachedLate": {
			"an older cluster's pods are attached late, and the network works", func(*v1alpha1.L2Network) {}, reportFacts{policy: policyNotServed},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "AttachedLate": "NoMutatingPolicies"}, nil,
		},
		"PolicyGone": {
			"what is said follows what is missing", func(n *v1alpha1.L2Network) {
				n.Status.Conditions = []metav1.Condition{v1alpha1.NoMutatingPolicies()}
			}, reportFacts{policy: policyMissing},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "AttachedLate": "PolicyMissing"}, nil,
		},
		"AttachedEarly": {
			"the condition goes when the policy has come", func(n *v1alpha1.L2Network) {
				n.Status.Conditions = []metav1.Condition{v1alpha1.PolicyMissing()}
			}, reportFacts{policy: policyThere},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready"}, nil,
		},
		"JustStarted": {
			"a controller that has not looked yet takes nothing back", func(n *v1alpha1.L2Network) {
				c := v1alpha1.PolicyMissing()
				c.ObservedGeneration = n.Generation
				n.Status.Conditions = []metav1.Condition{c}
			}, reportFacts{policy: policyUnknown},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Ready": "Ready", "AttachedLate": "PolicyMissing"}, nil,
		},
		"Going": {
			"a deletion that waits for the database alone does not speak of users", func(n *v1alpha1.L2Network) {
				n.DeletionTimestamp = &now
				n.Status.Conditions = []metav1.Condition{v1alpha1.NetworkInUse([]string{"default/a"})}
			}, reportFacts{program: program{err: ovn.ErrNotConnected}},
			map[string]string{"Accepted": "Accepted", "Programmed": "NorthboundUnavailable", "Ready": "NorthboundUnavailable"}, nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net", Generation: 7}}
			tc.change(network)

			status := networkStatus(network, tc.facts, 1442)

			got := map[string]string{}
			for _, c := range status.Conditions {
				got[c.Type] = c.Reason
				if c.ObservedGeneration != 7 {
					t.Errorf("condition %s observed generation %d, want 7", c.Type, c.ObservedGeneration)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			var events []string
			for _, e := range newEvents(nil, status.Conditions, tc.facts.users) {
				events = append(events, e.Reason)
			}
			if diff := cmp.Diff(tc.events, events); diff != "" {
				t.Errorf("%s: events: -want +got\n%s", tc.reason, diff)
			}
			if again := newEvents(status.Conditions, status.Conditions, tc.facts.users); len(again) > 0 {
				t.Errorf("what was told is told again: %v", again)
			}
		})
	}
}

// After a restart the controller has yet to read what OVN-Kubernetes has: until then
// what was said of it stays, and is not told again.
func TestPeersAreUnreadAtFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		unknown bool
		want    []string
	}{
		"Unread": {true, []string{"SameName", "Overlaps", "Accepted", "Programmed", "Ready"}},
		"Gone":   {false, []string{"Accepted", "Programmed", "Ready"}},
	} {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net", Generation: 7}}
			network.Status.Conditions = []metav1.Condition{
				v1alpha1.NetworkSameName(network.Key(), besidePeers.SameName), v1alpha1.NetworkOverlaps(v1alpha1.ReasonOverlapsPeers, overlap.Describe(besidePeers.Overlaps)),
			}
			status := networkStatus(network, reportFacts{peers: peerFacts{unknown: tc.unknown}}, 1442)
			var got []string
			for _, c := range status.Conditions {
				got = append(got, c.Type)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if events := newEvents(network.Status.Conditions, status.Conditions, nil); len(events) > 0 {
				t.Errorf("what was told is told again: %v", events)
			}
		})
	}
}
