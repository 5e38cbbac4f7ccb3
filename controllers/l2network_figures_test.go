package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// The status records what is in force, whatever the spec asks for.
func TestNetworkStatusRecordsWhatIsInForce(t *testing.T) {
	small, large := int32(1300), int32(9000)
	spec := func(change func(*v1alpha1.L2NetworkSpec)) v1alpha1.L2NetworkSpec {
		s := v1alpha1.L2NetworkSpec{MTU: &small, IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24", "fd00::/64"}}}
		change(&s)
		return s
	}
	ranged := spec(func(s *v1alpha1.L2NetworkSpec) {
		s.IPAM.Ranges, s.IPAM.Excluded = []string{"10.0.0.128/25"}, []string{"10.0.0.200"}
	})
	dual := spec(func(*v1alpha1.L2NetworkSpec) {})
	plain := v1alpha1.L2NetworkSpec{}
	cases := map[string]struct {
		reason  string
		inForce *v1alpha1.L2NetworkSpec
		want    v1alpha1.L2NetworkStatus
	}{
		"Nothing": {"what was there before is not in force any more", nil, v1alpha1.L2NetworkStatus{Attachments: 3}},
		"Layer2":  {"the MTU has a default", &plain, v1alpha1.L2NetworkStatus{Attachments: 3, MTU: 1442, InForce: &plain}},
		"Dual": {"so have the ranges", &dual, v1alpha1.L2NetworkStatus{
			Attachments: 3, MTU: 1300, InForce: &dual, Subnets: "10.0.0.0/24, fd00::/64", IPAM: &v1alpha1.IPAMStatus{Ranges: dual.IPAM.Subnets},
		}},
		"Ranged": {"and those that are given are recorded", &ranged, v1alpha1.L2NetworkStatus{
			Attachments: 3, MTU: 1300, InForce: &ranged, Subnets: "10.0.0.0/24, fd00::/64",
			IPAM: &v1alpha1.IPAMStatus{Ranges: ranged.IPAM.Ranges, Excluded: ranged.IPAM.Excluded},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := networkOf("a")
			network.Spec.MTU = &large // refused
			network.Status = v1alpha1.L2NetworkStatus{MTU: 1, Subnets: "before", IPAM: &v1alpha1.IPAMStatus{}, InForce: &v1alpha1.L2NetworkSpec{}, Attachments: 9}
			f := refusedFor(v1alpha1.MTUTooLarge(large, 1442))
			f.Members = 3
			if tc.inForce != nil {
				f.InForce = networkOf("a")
				f.InForce.Spec = *tc.inForce
			}
			before := network.DeepCopy()
			got := networkStatus(network, f, 1442)
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(v1alpha1.L2NetworkStatus{}, "Conditions")); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, network); diff != "" {
				t.Errorf("it is pure, and changed the network:\n%s", diff)
			}
		})
	}
}

// gather has nothing to say of a generation that was not written yet.
func TestNetworkStatusWaitsForTheWrite(t *testing.T) {
	n := networkOf("a")
	n.Generation = 7
	p := placementOf(n)
	r := &L2NetworkStatusReconciler{placement: p, ports: newPorts(), policy: &podPolicy{}}
	if _, known, _ := r.gather(t.Context(), n); known {
		t.Error("nothing was written")
	}
	r.ports.note(n.Key(), 6, nil)
	if _, known, _ := r.gather(t.Context(), n); known {
		t.Error("another generation was written")
	}
	r.ports.note(n.Key(), 7, errBroken)
	r.ports.set(n, portOf("x"))
	if _, err := p.ledger.Take(admission.Ask{Network: n, Attachment: portOf("x")}); err != nil {
		t.Fatal(err)
	}
	f, known, err := r.gather(t.Context(), n)
	if err != nil || !known || f.Members != 1 || f.ports != 1 || f.users != nil {
		t.Errorf("got %+v, %t", f, known)
	}
	now := metav1.Now()
	n.DeletionTimestamp = &now
	if f, _, _ = r.gather(t.Context(), n); len(f.users) != 1 {
		t.Errorf("a deletion waits for %v", f.users)
	}
	r.ports.forget(n.Key())
	if _, known, _ := r.gather(t.Context(), n); known {
		t.Error("a network that is gone is forgotten")
	}
}
