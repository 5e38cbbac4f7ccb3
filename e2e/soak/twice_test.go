package main

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// The check that the whole soak relies on finds what it is there for.
func TestGivenOutTwice(t *testing.T) {
	attachment := func(name, network, address string, conditions ...metav1.Condition) *v1alpha1.L2Attachment {
		return &v1alpha1.L2Attachment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "soak", Name: name, UID: types.UID(name)},
			Spec: v1alpha1.L2AttachmentSpec{
				Network: v1alpha1.NetworkReference{Name: network}, MACAddress: "02:00:00:00:00:0" + name, Addresses: []string{address},
			},
			Status: v1alpha1.L2AttachmentStatus{Conditions: conditions},
		}
	}
	refused := v1alpha1.AttachmentRefused(v1alpha1.ReasonAddressTaken, "")
	moves := attachment("2", "blue", "10.0.0.1/24", refused)
	moves.Status.Network = &v1alpha1.NetworkReference{Namespace: "soak", Name: "red"}
	sameMAC := attachment("2", "red", "10.0.0.2/24")
	sameMAC.Spec.MACAddress = "02:00:00:00:00:01"
	cases := map[string]struct {
		reason string
		second *v1alpha1.L2Attachment
		twice  int
	}{
		"Address":      {"one address, two holders", attachment("2", "red", "10.0.0.1/24"), 1},
		"MAC":          {"one MAC address, two holders", sameMAC, 1},
		"Other":        {"another address", attachment("2", "red", "10.0.0.2/24"), 0},
		"OtherNetwork": {"another network has addresses of its own", attachment("2", "blue", "10.0.0.1/24"), 0},
		"Refused":      {"what is refused has nothing", attachment("2", "red", "10.0.0.1/24", refused), 0},
		"Stays":        {"a port that stays has its address where it is", moves, 1},
		"Itself":       {"a change is no second holder", attachment("1", "red", "10.0.0.1/24"), 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := holdings{byValue: map[string]types.UID{}, byHolder: map[types.UID][]string{}, names: map[types.UID]string{}}
			first := attachment("1", "red", "10.0.0.1/24")
			if got := h.see(first, false); len(got) > 0 {
				t.Fatalf("the first: %v", got)
			}
			if got := h.see(tc.second, false); len(got) != tc.twice {
				t.Errorf("%s: got %v", tc.reason, got)
			}
			h.see(first, true)
			if got := h.see(tc.second, false); len(got) > 0 {
				t.Errorf("after the first is gone: %v", got)
			}
		})
	}
}
