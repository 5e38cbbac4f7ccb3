package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// refusalOf is a refusal that may keep what there is.
func refusalOf(c metav1.Condition, keeps bool) *admission.Refusal {
	return &admission.Refusal{Condition: c, Keeps: keeps}
}

// TestAttachmentStatus is the controller's part of the status, for each kind of
// settlement.
func TestAttachmentStatus(t *testing.T) {
	network := networkOf("a")
	mtu := int32(1300)
	network.Spec.MTU = &mtu
	full := v1alpha1.LinkFull(key("lab", "b"), []string{"lab/one", "lab/two"})
	override := v1alpha1.OverrideNotAllowed(network.Key(), v1alpha1.PortSecurityDisabled)
	stood := v1alpha1.AttachmentRefused(v1alpha1.ReasonExhausted, "none was left")
	on := place{Taken: admission.Taken{Network: network}}
	refusedOn := func(c metav1.Condition, keeps bool) place {
		return place{Taken: on.Taken, refused: refusalOf(c, keeps)}
	}
	unbound := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "", "" }
	bound := func(*v1alpha1.L2Attachment) {}
	hasStatus := func(a *v1alpha1.L2Attachment) {
		a.Status.Conditions = []metav1.Condition{stood, v1alpha1.AttachmentReady("net1")}
		a.Status.Network, a.Status.PortName = &v1alpha1.NetworkReference{Namespace: "lab", Name: "old"}, "l2sm/lab/x"
	}
	port := v1alpha1.L2AttachmentStatus{
		Conditions: []metav1.Condition{v1alpha1.AttachmentAccepted()},
		Network:    &v1alpha1.NetworkReference{Namespace: "lab", Name: "a"}, PortName: "l2sm/lab/x", MTU: 1300, Addresses: "10.0.0.1/24, fd00::1/64",

		AcceptRouterAdvertisements: true,
	}
	says := func(c metav1.Condition) v1alpha1.L2AttachmentStatus {
		s := port
		s.Conditions = []metav1.Condition{c}
		return s
	}
	keyed := func(at place, k keying, key int32) place {
		at.keying, at.key = k, key
		return at
	}
	numbered := port
	numbered.TunnelKey = 7
	noKey := v1alpha1.NoPortKey(network.Key(), 32767)
	wasNumbered := func(a *v1alpha1.L2Attachment) {
		hasStatus(a)
		a.Status.TunnelKey, a.Status.MTU = 5, 1200
	}
	cases := map[string]struct {
		reason    string
		change    func(*v1alpha1.L2Attachment)
		at        place
		committed bool
		want      v1alpha1.L2AttachmentStatus
	}{
		"Refused":         {"it has nothing, and is told why", hasStatus, place{refused: refusalOf(full, false)}, false, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{full}}},
		"Reserved":        {"addresses without a port", unbound, on, false, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{v1alpha1.AttachmentReserved()}, Addresses: port.Addresses}},
		"ReservedRefused": {"a change that is refused takes no reservation", unbound, refusedOn(override, true), false, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{override}, Addresses: port.Addresses}},
		"NotYet":          {"the node learns of its network before the port is there, and of nothing else", bound, on, false, v1alpha1.L2AttachmentStatus{MTU: 1300, Addresses: port.Addresses, AcceptRouterAdvertisements: true}},
		"NotYetMoved":     {"what stood stands until the port is there", hasStatus, on, false, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{stood}, Network: &v1alpha1.NetworkReference{Namespace: "lab", Name: "old"}, PortName: "l2sm/lab/x", MTU: 1300, Addresses: port.Addresses, AcceptRouterAdvertisements: true}},
		"Port":            {"its port is there", hasStatus, on, true, port},
		"MoveRefused":     {"the port stays, and why", bound, refusedOn(full, false), true, says(v1alpha1.MoveRefused(full, network.Key()))},
		"ChangeRefused":   {"the port keeps what it has", bound, refusedOn(override, true), true, says(v1alpha1.PortUnchanged(override))},
		"KeyAwaited":      {"no node is told anything before all of it is there", bound, keyed(on, keyAwaited, 0), false, v1alpha1.L2AttachmentStatus{}},
		"KeyAwaitedMoved": {"what stood stands, key and network together", wasNumbered, keyed(on, keyAwaited, 0), false, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{stood}, Network: &v1alpha1.NetworkReference{Namespace: "lab", Name: "old"}, TunnelKey: 5, PortName: "l2sm/lab/x", MTU: 1200}},
		"KeyRefused":      {"no port, and addresses are kept", wasNumbered, keyed(refusedOn(noKey, false), keyRefused, 0), false, v1alpha1.L2AttachmentStatus{Conditions: []metav1.Condition{noKey}, Addresses: port.Addresses}},
		"KeyHeld":         {"all of it at once", wasNumbered, keyed(on, keyHeld, 7), true, numbered},
	}
	node := v1alpha1.AttachmentNodeNotReady("node-a", v1alpha1.NodeNotReady(v1alpha1.OVSUnreachable()))
	for name, tc := range cases {
		t.Run(name+"OnBrokenNode", func(t *testing.T) {
			a := portOf("x")
			a.Spec.Addresses = []string{"10.0.0.1/24", "fd00::1/64"}
			tc.change(a)
			a.Status.Conditions = append(a.Status.Conditions, node) // it stands already
			want := tc.want
			want.Conditions = append(append([]metav1.Condition(nil), want.Conditions...), node)
			got := attachmentStatus(settlement{place: tc.at, attachment: a, committed: tc.committed, node: &node}, 1442)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, and the node's condition comes last: -want +got\n%s", tc.reason, diff)
			}
		})
		t.Run(name, func(t *testing.T) {
			a := portOf("x")
			a.Spec.Addresses = []string{"10.0.0.1/24", "fd00::1/64"}
			tc.change(a)
			before := a.DeepCopy()
			got := attachmentStatus(settlement{place: tc.at, attachment: a, committed: tc.committed}, 1442)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, a); diff != "" {
				t.Errorf("it is pure, and changed the attachment:\n%s", diff)
			}
		})
	}
}

// Condition Ready is the agent's, but for what no agent can say.
func TestOurReady(t *testing.T) {
	stands := func(c metav1.Condition) func(*v1alpha1.L2Attachment) {
		return func(a *v1alpha1.L2Attachment) { a.Status.Conditions = []metav1.Condition{c} }
	}
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Attachment)
		want   string
	}{
		"NoPod":   {"no agent speaks of a pod that does not run", func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "", "" }, v1alpha1.ReasonNoPod},
		"Unsaid":  {"the agent says it first", func(*v1alpha1.L2Attachment) {}, ""},
		"WasNone": {"what we said is ours to take back", stands(v1alpha1.AttachmentNoPod("x")), v1alpha1.ReasonAwaitsNode},
		"Awaits":  {"until the agent has spoken", stands(v1alpha1.AttachmentAwaitsNode("node-a")), v1alpha1.ReasonAwaitsNode},
		"Ready":   {"then it is the agent's", stands(v1alpha1.AttachmentReady("net1")), ""},
		"Failed":  {"whatever it says", stands(v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "boom")), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := portOf("x")
			tc.change(a)
			got := ""
			for _, c := range ourReady(a) {
				got = c.Reason
			}
			if got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// A condition that stands keeps its time, one that changes its status has a new
// one, and the generation is always the attachment's.
func TestDated(t *testing.T) {
	old := v1alpha1.AttachmentAccepted()
	old.LastTransitionTime, old.ObservedGeneration = metav1.Unix(1000, 0), 6
	stand := []metav1.Condition{old}
	same := dated(stand, v1alpha1.AttachmentReserved(), 7)
	if !same.LastTransitionTime.Equal(&old.LastTransitionTime) || same.ObservedGeneration != 7 || same.Message == old.Message {
		t.Errorf("only its message has changed: got %+v", same)
	}
	turned := dated(stand, v1alpha1.AttachmentRefused(v1alpha1.ReasonLinkFull, "full"), 7)
	if turned.LastTransitionTime.Equal(&old.LastTransitionTime) || turned.Status != metav1.ConditionFalse {
		t.Errorf("it has turned: got %+v", turned)
	}
	if diff := cmp.Diff([]metav1.Condition{old}, stand); diff != "" {
		t.Errorf("what stands was changed:\n%s", diff)
	}
}
