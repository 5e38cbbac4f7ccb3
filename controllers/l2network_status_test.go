package controllers

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

func TestNetworkConditions(t *testing.T) {
	large := int32(9000)
	now := metav1.Now()
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Network)
		facts  networkFacts
		want   map[string]string // condition: reason
		events []string
	}{
		"Good": {
			"all is well", func(*v1alpha1.L2Network) {}, networkFacts{},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed"}, nil,
		},
		"LargeMTU": {
			"a spec that can't be used is not in force", func(n *v1alpha1.L2Network) { n.Spec.MTU = &large }, networkFacts{},
			map[string]string{"Accepted": "MTUTooLarge", "Programmed": "NotAccepted"}, []string{"MTUTooLarge"},
		},
		"Stranded": {
			"nor is one that would strand addresses", func(*v1alpha1.L2Network) {}, networkFacts{invalid: errors.New("strands a")},
			map[string]string{"Accepted": "Invalid", "Programmed": "NotAccepted"}, []string{"Invalid"},
		},
		"Away": {
			"the database can't be reached", func(*v1alpha1.L2Network) {}, networkFacts{programming: ovn.ErrNotConnected},
			map[string]string{"Accepted": "Accepted", "Programmed": "NorthboundUnavailable"}, nil,
		},
		"Foreign": {
			"somebody else's row is in the way", func(*v1alpha1.L2Network) {}, networkFacts{programming: &ovn.ForeignError{Kind: "switch", Name: "l2sm/lab/net"}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Failed"}, nil,
		},
		"InUse": {
			"a deletion waits and says for whom", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, networkFacts{users: []string{"default/a"}},
			map[string]string{"Accepted": "Accepted", "Programmed": "Programmed", "Deleting": "InUse"}, []string{"InUse"},
		},
		"Going": {
			"a deletion that waits for the database alone does not speak of users", func(n *v1alpha1.L2Network) {
				n.DeletionTimestamp = &now
				n.Status.Conditions = []metav1.Condition{v1alpha1.NetworkInUse([]string{"default/a"})}
			}, networkFacts{programming: ovn.ErrNotConnected},
			map[string]string{"Accepted": "Accepted", "Programmed": "NorthboundUnavailable"}, nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net", Generation: 7}}
			tc.change(network)

			status := networkStatus(network, tc.facts, 1500)

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
			for _, e := range newEvents(nil, status.Conditions, tc.facts) {
				events = append(events, e.Reason)
			}
			if diff := cmp.Diff(tc.events, events); diff != "" {
				t.Errorf("%s: events: -want +got\n%s", tc.reason, diff)
			}
			if again := newEvents(status.Conditions, status.Conditions, tc.facts); len(again) > 0 {
				t.Errorf("what was told is told again: %v", again)
			}
		})
	}
}

func TestConcerned(t *testing.T) {
	network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net"}}
	attachment := func(name string) *v1alpha1.L2Attachment {
		a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: name}}
		a.Spec.Network.Name = "net"
		a.Status = portStatus(network, a, 1500)
		return a
	}
	settled, fresh, smaller, stays, arrives := attachment("settled"), attachment("fresh"), attachment("smaller"), attachment("stays"), attachment("arrives")
	fresh.Status = v1alpha1.L2AttachmentStatus{}
	smaller.Status.MTU = 1300
	stays.Spec.Network.Name = "refuses"
	arrives.Status.Network.Name = "former"
	waits, reserved, unbound := attachment("waits"), attachment("reserved"), attachment("unbound")
	meta.RemoveStatusCondition(&waits.Status.Conditions, v1alpha1.ConditionAccepted)
	meta.RemoveStatusCondition(&unbound.Status.Conditions, v1alpha1.ConditionAccepted)
	facts := networkFacts{
		accepted:  []*v1alpha1.L2Attachment{settled, fresh, smaller, stays, arrives},
		refused:   []*v1alpha1.L2Attachment{waits},
		reserving: []*v1alpha1.L2Attachment{reserved, unbound},
	}

	var got []string
	for _, key := range concerned(network, facts, 1500) {
		got = append(got, key.Name)
	}
	if diff := cmp.Diff([]string{"waits", "unbound", "fresh", "smaller", "stays", "arrives"}, got); diff != "" {
		t.Errorf("only those are woken that have something else to say: -want +got\n%s", diff)
	}
}
