package admission

import (
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
	"l2sm.io/l2sm/internal/overlap"
)

// strict is a ledger that refuses overlaps with ranges that a test changes.
func strict(ranges ...overlap.Range) (*Ledger, *wakes, func(...overlap.Range)) {
	w, index := &wakes{}, overlap.NewIndex(ranges)
	l := NewLedger(Cluster{MaxMTU: underlay, Refused: func() *overlap.Index { return index }}, w.wake())
	return l, w, func(ranges ...overlap.Range) { index = overlap.NewIndex(ranges) }
}

func servicesAt(cidr string) overlap.Range {
	return overlap.Range{Kind: overlap.Services, Prefix: netip.MustParsePrefix(cidr), Object: "kubernetes"}
}

func podsAt(cidr string) overlap.Range {
	return overlap.Range{Kind: overlap.Pods, Prefix: netip.MustParsePrefix(cidr), Object: "n1"}
}

func TestApart(t *testing.T) {
	ranges := overlap.NewIndex([]overlap.Range{servicesAt("10.96.0.0/16"), podsAt("10.244.0.0/24")})
	other := func(subnets ...string) *v1alpha1.L2Network { return net("net", subnets...) }
	cases := map[string]struct {
		reason  string
		inForce *v1alpha1.L2Network
		asked   *v1alpha1.L2Network
		want    string
	}{
		"Beside":     {"a network beside the cluster's ranges is good", nil, other("10.162.0.0/24"), ""},
		"NoAddress":  {"so is one without addresses", nil, other(), ""},
		"Services":   {"one on them is refused", nil, other("10.96.0.0/24"), v1alpha1.ReasonOverlapsServices},
		"Pods":       {"with its own reason", nil, other("10.244.0.0/16"), v1alpha1.ReasonOverlapsPods},
		"InForce":    {"what is in force already stays changeable in all else", other("10.96.0.0/24"), other("10.96.0.0/24"), ""},
		"OtherForce": {"but not with other subnets", other("10.162.0.0/24"), other("10.96.0.0/24"), v1alpha1.ReasonOverlapsServices},
		"BareForce":  {"nor from none at all", other(), other("10.96.0.0/24"), v1alpha1.ReasonOverlapsServices},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectReason(t, tc.reason, tc.want, Apart(tc.inForce, tc.asked, ranges))
		})
	}
}

// A network that was refused comes into force by itself when the range goes,
// and one that is in force stays, also over a restart, when one comes.
func TestOverlapsComeAndGo(t *testing.T) {
	l, w, set := strict(servicesAt("10.96.0.0/16"))
	late := net("late", "10.96.0.0/24")
	expectReason(t, "the subnet is the Services'", v1alpha1.ReasonOverlapsServices, l.Judge(late).Refused)
	l.Open(late.Key())
	if _, err := grant(l, late, owner, "a", ipam.Request{}); err == nil {
		t.Error("a network that is not in force gave an address")
	}
	l.Reconsider(late.Key())
	if l.Judge(late).Refused == nil {
		t.Error("it is in force although nothing has changed")
	}

	set()
	if l.Judge(late).Refused == nil {
		t.Error("the verdict was found again although nobody said that the ranges have changed")
	}
	woken := w.networks
	l.Reconsider(late.Key(), key("default", "unknown"))
	if w.networks != woken+1 {
		t.Errorf("%d networks woken, want the one that was refused", w.networks-woken)
	}
	if err := l.Judge(late).Refused; err != nil {
		t.Errorf("refused although no range is left: %v", err)
	}
	mustGrant(t, l, late, owner, "a")

	set(podsAt("10.96.0.0/24"))
	woken = w.networks
	l.Reconsider(late.Key())
	if w.networks != woken {
		t.Error("a network in force was judged again")
	}
	small := int32(1300)
	changed := next(late, func(s *v1alpha1.L2NetworkSpec) { s.MTU = &small })
	if report := l.Judge(changed); report.Refused != nil || *report.InForce.Spec.MTU != small {
		t.Errorf("the MTU can't be changed because a node has joined: %v", report.Refused)
	}

	after, _, _ := strict(podsAt("10.96.0.0/24"))
	changed.Status.InForce = &changed.Spec
	changed.Status.Conditions = []metav1.Condition{v1alpha1.NetworkAccepted()}
	if err := after.Judge(changed).Refused; err != nil {
		t.Errorf("a restart refuses what is in force: %v", err)
	}
	again := changed.DeepCopy()
	again.UID, again.Status = "late-2", v1alpha1.L2NetworkStatus{}
	expectReason(t, "another network of its name is new", v1alpha1.ReasonOverlapsPods, after.Judge(again).Refused)
}
