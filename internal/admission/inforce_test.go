package admission

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// next is the network's next generation.
func next(n *v1alpha1.L2Network, change func(*v1alpha1.L2NetworkSpec)) *v1alpha1.L2Network {
	n = n.DeepCopy()
	n.Generation++
	change(&n.Spec)
	return n
}

// A generation that is refused changes nothing: not for those that are there, nor
// for those that come.
func TestRefusedGenerationChangesNothing(t *testing.T) {
	large := int32(9000)
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2NetworkSpec)
		want   string
	}{
		"MTU":    {"the underlay does not carry it", func(s *v1alpha1.L2NetworkSpec) { s.MTU = &large }, v1alpha1.ReasonMTUTooLarge},
		"Ranges": {"it strands an address in use", func(s *v1alpha1.L2NetworkSpec) { s.IPAM.Ranges = []string{"10.0.0.128/25"} }, v1alpha1.ReasonInvalid},
		"Range":  {"it can't be read", func(s *v1alpha1.L2NetworkSpec) { s.IPAM.Ranges = []string{"10.0.0.9-10.0.0.1"} }, v1alpha1.ReasonInvalid},
		"Selector": {"nor can this", func(s *v1alpha1.L2NetworkSpec) {
			s.AllowedNamespaces.From = v1alpha1.NamespacesFromSelector
			s.AllowedNamespaces.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "in"}}}
		}, v1alpha1.ReasonInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			first := net("net", "10.0.0.0/24")
			first.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll
			l, _ := opened(first)
			mustGrant(t, l, first, owner, "a")
			before := l.Judge(first)
			second := next(first, tc.change)
			// What else the refused generation says is not in force either.
			second.Spec.PortSecurity, second.Spec.AllowedNamespaces.From = v1alpha1.PortSecurityDisabled, v1alpha1.NamespacesFromSame

			report := l.Judge(second)
			if name == "Selector" {
				second.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromSelector
				second.Generation++
				report = l.Judge(second)
			}

			expectReason(t, tc.reason, tc.want, report.Refused)
			if report.Version != before.Version || !cmp.Equal(report.InForce, before.InForce) || report.Generation != second.Generation {
				t.Errorf("%s: in force are %v, version %d after %d, of generation %d", tc.reason, report.InForce.Spec, report.Version, before.Version, report.Generation)
			}
			taken, err := l.Take(Ask{Network: second, Attachment: asks(key("guests", "x"), "x", "net")})
			expectReason(t, "who asks is asked by the spec in force", "", err)
			if err == nil && (taken.Network.Spec.PortSecurity != "" || taken.Addresses[0].String() != "10.0.0.2/24") {
				t.Errorf("%s: got %v by %v", tc.reason, taken.Lease, taken.Network.Spec)
			}
		})
	}
}

// stranding is a network with so many members, and its next generation, which
// strands them all but the last.
func stranding(t *testing.T, members int) (*Ledger, *wakes, *v1alpha1.L2Network) {
	t.Helper()
	first := net("net", "10.0.0.0/16")
	l, w := opened(first)
	for i := range members {
		mustGrant(t, l, first, waiter(i), "w")
	}
	last := netipOf(members)
	return l, w, next(first, func(s *v1alpha1.L2NetworkSpec) { s.IPAM.Ranges = []string{last + "-10.0.255.254"} })
}

// netipOf is the i-th address of 10.0.0.0/16.
func netipOf(i int) string { return fmt.Sprintf("10.0.%d.%d", i>>8, i&0xff) }

func TestStrandedComesIntoForce(t *testing.T) {
	const members = 901
	l, w, second := stranding(t, members)
	refused := l.Judge(second).Refused
	expectReason(t, "900 addresses are outside", v1alpha1.ReasonInvalid, refused)
	if text := refused.Error(); len(text) > 1024 || strings.Count(text, "default/w-") != 5 || !strings.Contains(text, "895 more") {
		t.Errorf("a status condition has room for five holders and a count: %s", text)
	}
	for i := range members - 1 {
		if w.networks > 0 {
			t.Fatalf("with %d in the way, the spec is judged again", members-1-i)
		}
		if report := l.Judge(second); report.Refused == nil || report.InForce.Spec.IPAM.Ranges != nil {
			t.Fatalf("with %d in the way, the spec is in force", members-1-i)
		}
		l.Withdraw(asks(waiter(i), "w", "net"))
	}
	if w.networks != 1 {
		t.Errorf("the network is woken %d times, want once", w.networks)
	}
	if report := l.Judge(second); report.Refused != nil || report.InForce.Spec.IPAM.Ranges == nil || report.Members != 1 {
		t.Errorf("nothing is in its way any more: %+v", report)
	}
	l.Withdraw(asks(waiter(members-1), "w", "net"))
	if w.networks != 1 {
		t.Error("a member that was in no way wakes the network")
	}
}

// A verdict of which nothing is left wakes nothing.
func TestStrandedIsOver(t *testing.T) {
	l, w, second := stranding(t, 3)
	l.Judge(second)
	third := next(second, func(s *v1alpha1.L2NetworkSpec) { s.IPAM.Ranges = nil })
	if err := l.Judge(third).Refused; err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		l.Withdraw(asks(waiter(i), "w", "net"))
	}
	if w.networks > 0 {
		t.Errorf("the change that they were in the way of is taken back, and the network is woken %d times", w.networks)
	}
}

// The verdict is found once a change, and not again with each that looks at it,
// or that leaves: to look at 10,000 members takes allocations.
func TestJudgedOnceAChange(t *testing.T) {
	const members = 10_000
	l, _, second := stranding(t, members)
	l.Judge(second)
	if n := testing.AllocsPerRun(50, func() { l.Judge(second) }); n > 2 {
		t.Errorf("to look at a verdict takes %v allocations", n)
	}
	i := 0
	leave := testing.AllocsPerRun(50, func() {
		l.Withdraw(asks(waiter(i), "w", "net"))
		l.Judge(second)
		i++
	})
	if leave > 200 {
		t.Errorf("one of %d that leaves takes %v allocations", members, leave)
	}
}

// Workers read the network from a cache, and one may have read it before the
// change that another has acted on.
func TestOlderGenerationIsNotJudged(t *testing.T) {
	first := net("net", "10.0.0.0/24")
	second := next(first, func(s *v1alpha1.L2NetworkSpec) { s.AllowedNamespaces.From = v1alpha1.NamespacesFromAll })
	second.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	l, _ := opened(first)
	want := l.Judge(second)
	if o := want.InForce; o.UID != first.UID || o.Key() != first.Key() || o.DeletionTimestamp == nil {
		t.Errorf("what is in force is another network's, or is not being deleted: %+v", o.ObjectMeta)
	}
	mustFail(t, l, first)
	if got := l.Judge(first); !cmp.Equal(got, want) {
		t.Errorf("what is in force goes back to an earlier generation: got %+v, want %+v", got, want)
	}
}

func mustFail(t *testing.T, l *Ledger, n *v1alpha1.L2Network) {
	t.Helper()
	_, err := grant(l, n, owner, "a", ipam.Request{})
	expectReason(t, "the network is being deleted, though the worker has yet to see it", v1alpha1.ReasonNetworkGone, err)
}

// What is in force at a start.
func TestInForceAtStart(t *testing.T) {
	large, small := int32(9000), int32(1300)
	said := func(c metav1.Condition, generation int64) []metav1.Condition {
		c.ObservedGeneration = generation
		return []metav1.Condition{c}
	}
	spec := func(n *v1alpha1.L2Network, mtu *int32) *v1alpha1.L2NetworkSpec {
		s := n.Spec.DeepCopy()
		s.MTU = mtu
		return s
	}
	cases := map[string]struct {
		reason  string
		change  func(*v1alpha1.L2Network)
		mtu     int32 // in force, 0 for no spec
		refused string
	}{
		"New":          {"a new network is judged", func(n *v1alpha1.L2Network) { n.Spec.MTU = &small }, small, ""},
		"NewBad":       {"and may have nothing in force", func(n *v1alpha1.L2Network) { n.Spec.MTU = &large }, 0, v1alpha1.ReasonMTUTooLarge},
		"Status":       {"the status records it", func(n *v1alpha1.L2Network) { n.Spec.MTU = &large; n.Status.InForce = spec(n, &small) }, small, v1alpha1.ReasonMTUTooLarge},
		"StatusBehind": {"a change that was made meanwhile comes into force", func(n *v1alpha1.L2Network) { n.Status.InForce = spec(n, nil); n.Spec.MTU = &small }, small, ""},
		"Accepted": {"an earlier version recorded the verdict only: what it accepted stays, whatever the underlay carries now", func(n *v1alpha1.L2Network) {
			n.Spec.MTU = &large
			n.Status.Conditions = said(v1alpha1.NetworkAccepted(), n.Generation)
		}, large, v1alpha1.ReasonMTUTooLarge},
		"AcceptedBefore": {"its verdict on an earlier generation says nothing of this", func(n *v1alpha1.L2Network) {
			n.Spec.MTU = &large
			n.Status.Conditions = said(v1alpha1.NetworkAccepted(), n.Generation-1)
		}, 0, v1alpha1.ReasonMTUTooLarge},
		"Refused": {"what it refused is judged again", func(n *v1alpha1.L2Network) {
			n.Spec.MTU = &small
			n.Status.Conditions = said(v1alpha1.MTUTooLarge(small, 100), n.Generation)
		}, small, ""},
		"Unreadable": {"a status that can't be read puts nothing in force", func(n *v1alpha1.L2Network) {
			n.Spec.MTU = &small
			n.Status.InForce = spec(n, &large)
			n.Status.InForce.IPAM.Subnets = []string{"rubbish"}
		}, small, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("net", "10.0.0.0/24")
			network.Generation = 7
			tc.change(network)
			l, _ := opened()
			l.Judge(network)
			l.Open(network.Key()) // by what is on record: nothing
			report := l.Judge(network)
			expectReason(t, tc.reason, tc.refused, report.Refused)
			if (report.InForce != nil) != (tc.mtu != 0) || tc.mtu != 0 && report.InForce.EffectiveMTU(underlay) != tc.mtu {
				t.Errorf("%s: in force is %+v", tc.reason, report.InForce)
			}
			_, err := grant(l, network, owner, "a", ipam.Request{})
			want := ""
			if tc.mtu == 0 {
				want = v1alpha1.ReasonNotAccepted
			}
			expectReason(t, tc.reason, want, err)
		})
	}
}

// What changes of a network without its spec is in force at once.
func TestDeletionIsInForce(t *testing.T) {
	n := net("net", "10.0.0.0/24")
	l, w := opened(n)
	mustGrant(t, l, n, rival, "b")
	before := l.Judge(n)
	gone := n.DeepCopy()
	gone.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	if after := l.Judge(gone); after.Version == before.Version {
		t.Error("its members are to be looked at again")
	}
	if before.InForce.DeletionTimestamp != nil {
		t.Error("what others read was changed")
	}
	mustFail(t, l, gone)
	l.Withdraw(asks(rival, "b", "net"))
	if w.networks != 1 {
		t.Errorf("its deletion waited for the last member: woken %d times", w.networks)
	}
}

// Memory goes with the networks: those that are gone and hold nothing have none.
func TestClosedNetworksAreForgotten(t *testing.T) {
	l, w := opened()
	for i := range 100 {
		n := net(fmt.Sprint("net-", i), "10.0.0.1/32")
		n.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll
		l.Judge(n)
		l.Open(n.Key())
		guest := key("guests", fmt.Sprint(i))
		mustGrant(t, l, n, guest, "g")
		_, err := grant(l, n, key("guests", fmt.Sprint("w", i)), "w", ipam.Request{})
		expectReason(t, "it waits", v1alpha1.ReasonExhausted, err)
		l.Quit(key("guests", fmt.Sprint("w", i)))
		l.Close(n.Key())
		if i%2 == 0 {
			l.Withdraw(asks(guest, "g", n.Name))
			continue
		}
		if l.Members(n.Key()) == nil {
			t.Fatal("what is still held is forgotten")
		}
		l.Keep(asks(guest, "g", n.Name))
	}
	l.Judge(net("unused"))
	l.Close(key("default", "unused"))
	l.Close(key("default", "unknown"))
	if len(l.networks) > 0 {
		t.Errorf("%d networks are kept that nothing is left of", len(l.networks))
	}
	if w.networks != 100 {
		t.Errorf("a network that is gone is woken when its last member is, got %d", w.networks)
	}
	empty(t, l)
}

// A network that is dropped while a worker is about to take something of it: the
// worker takes it of the one that the ledger has.
func TestDroppedMeanwhile(t *testing.T) {
	n := tiny()
	l, _ := opened(n)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				l.Close(n.Key())
			}
		}
	}()
	twice := 0
	for range 5_000 {
		if err := adopt(l, n, recordedOn("tiny", owner, "a")); err != nil {
			t.Fatal(err)
		}
		if err := adopt(l, n, recordedOn("tiny", rival, "b")); err == nil {
			twice++
		}
		l.Withdraw(recordedOn("tiny", owner, "a"))
		l.Withdraw(recordedOn("tiny", rival, "b"))
	}
	close(stop)
	<-stopped
	if twice > 0 {
		t.Errorf("one address is held twice, %d times", twice)
	}
	l.Gone(owner)
	l.Gone(rival)
	empty(t, l)
}

func TestJudge(t *testing.T) {
	if err := Judge(net("net", "10.0.0.0/24"), underlay); err != nil {
		t.Error(err)
	}
	var refusal *Refusal
	bad := net("net", "10.0.0.1/24")
	if err := Judge(bad, underlay); !errors.As(err, &refusal) || refusal.Reason != v1alpha1.ReasonInvalid {
		t.Errorf("got %v", err)
	}
}
