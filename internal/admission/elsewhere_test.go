package admission

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// theirs is a host's MAC address and address, as a peer announces both.
const theirMAC, theirAddress = "02:ee:00:00:00:07", "10.0.0.7"

func theirs() ipam.Announced { return theirsAs("east") }

func theirsAs(peer string) ipam.Announced {
	m, _ := ipam.ParseMAC(theirMAC)
	return ipam.NewAnnounced(peer, []ipam.MAC{m}, []netip.Addr{netip.MustParseAddr(theirAddress)})
}

var remote = key("default", "wide-east-0")

// bound is the attachment with a pod.
func bound(a *v1alpha1.L2Attachment, pod types.UID) *v1alpha1.L2Attachment {
	a = a.DeepCopy()
	a.Spec.PodUID, a.Spec.NodeName = pod, "node-a"
	return a
}

// What a peer announces is waited for by those that ask for it, and by nobody else;
// the release is the first one's.
func TestElsewhere(t *testing.T) {
	m, _ := ipam.ParseMAC(theirMAC)
	cases := map[string]struct {
		reason string
		asked  ipam.Request
		want   string
	}{
		"Address":    {"a static address", askAddress(theirAddress), v1alpha1.ReasonAddressElsewhere},
		"MAC":        {"a static MAC address", ipam.Request{MAC: m}, v1alpha1.ReasonAddressElsewhere},
		"Other":      {"another address", askAddress("10.0.0.6"), ""},
		"Any":        {"any address", ipam.Request{}, ""},
		"OutOfRange": {"what no network of the shape can have", askAddress("192.0.2.1"), v1alpha1.ReasonOutOfRange},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("wide", "10.0.0.0/28")
			l, w := opened(network)
			l.Announce(remote, "wide", theirs())
			for i := range 2 {
				_, err := grant(l, network, waiter(i), "w", tc.asked)
				if i == 0 || tc.want == v1alpha1.ReasonAddressElsewhere {
					expectReason(t, tc.reason, tc.want, err)
				}
			}
			l.Announce(remote, "wide", theirs())
			expectWoken(t, "nothing has changed", w)
			l.Announce(remote, "wide", ipam.Announced{})
			if tc.want != v1alpha1.ReasonAddressElsewhere {
				expectWoken(t, tc.reason, w)
				return
			}
			expectWoken(t, tc.reason, w, waiter(0))
			if _, err := grant(l, network, waiter(0), "w", tc.asked); err != nil {
				t.Errorf("%s: it is withdrawn: %v", tc.reason, err)
			}
			_, err := grant(l, network, waiter(1), "w", tc.asked)
			if refused, is := AsRefusal(err); !is || refused.Holder == "" {
				t.Errorf("%s: the second one waits for the first: %v", tc.reason, err)
			}
			for i := range 2 {
				l.Withdraw(asks(waiter(i), "w", "wide"))
				l.Gone(waiter(i))
			}
			empty(t, l)
		})
	}
}

// Nothing that a peer announces is assigned, as long as the network has another.
func TestElsewhereIsNotAssigned(t *testing.T) {
	network := net("wide", "10.0.0.6/31")
	l, w := opened(network)
	l.Announce(remote, "wide", theirs())
	if lease := mustGrant(t, l, network, owner, "a"); lease.Addresses[0].Addr().String() != "10.0.0.6" {
		t.Errorf("%s is assigned", lease.Addresses[0])
	}
	_, err := grant(l, network, rival, "b", ipam.Request{})
	expectReason(t, "one of two addresses is elsewhere", v1alpha1.ReasonExhausted, err)
	l.Announce(remote, "wide", ipam.Announced{})
	expectWoken(t, "it is free", w, rival)
	mustGrant(t, l, network, rival, "b")
}

// An attachment's address while its pod comes and goes, there and here.
func TestElsewhereAndBound(t *testing.T) {
	network := net("wide", "10.0.0.0/28")
	has := holds(owner, "a", "wide", theirMAC, theirAddress+"/28")
	east, west := remote, key("default", "wide-west-0")
	type step struct {
		says   map[types.NamespacedName]ipam.Announced
		asks   *v1alpha1.L2Attachment
		want   string
		woken  []types.NamespacedName
		reason string
	}
	on := func(at types.NamespacedName, a ipam.Announced) map[types.NamespacedName]ipam.Announced {
		return map[types.NamespacedName]ipam.Announced{at: a}
	}
	cases := map[string][]step{
		"Late": {
			{asks: bound(has, "1"), reason: "its pod runs"},
			{says: on(east, theirs()), asks: bound(has, "1"), reason: "the local one stays"},
			{asks: bound(has, "2"), reason: "and its next pod, as nothing was withdrawn between"},
			{says: on(east, ipam.Announced{}), asks: bound(has, "2"), reason: "nobody is woken by the end of it"},
		},
		"MovesThereAndBack": {
			{asks: bound(has, "1"), reason: "its pod runs"},
			{asks: has, reason: "its pod is gone: the address is kept"},
			{says: on(east, theirs()), asks: has, reason: "and is kept while the pod runs there"},
			{asks: bound(has, "2"), want: v1alpha1.ReasonAddressElsewhere, reason: "it is here again, and there still"},
			{says: on(east, ipam.Announced{}), woken: []types.NamespacedName{owner}, asks: bound(has, "2"), reason: "it has moved"},
			{says: on(east, theirs()), asks: bound(has, "2"), reason: "it stays"},
		},
		"TwoPeers": {
			{says: on(east, theirs()), reason: "it is there"},
			{says: on(west, theirsAs("west")), reason: "and there"},
			{asks: bound(has, "1"), want: v1alpha1.ReasonAddressElsewhere, reason: "it asks for it"},
			{says: on(east, ipam.Announced{}), asks: bound(has, "1"), want: v1alpha1.ReasonAddressElsewhere, reason: "another peer has it"},
			{says: on(west, ipam.Announced{}), woken: []types.NamespacedName{owner}, asks: bound(has, "1"), reason: "nobody has it"},
		},
		"Again": {
			{asks: has, reason: "it has no pod yet"},
			{says: on(east, theirs()), asks: bound(has, "1"), want: v1alpha1.ReasonAddressElsewhere, reason: "it waits"},
			{says: on(east, ipam.Announced{}), woken: []types.NamespacedName{owner}, reason: "it is woken"},
			{says: on(east, theirs()), asks: bound(has, "1"), want: v1alpha1.ReasonAddressElsewhere, reason: "it was announced again before it came"},
			{says: on(east, ipam.Announced{}), woken: []types.NamespacedName{owner}, asks: bound(has, "1"), reason: "it is woken again"},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			l, w := opened(network)
			for i, s := range steps {
				for at, says := range s.says {
					l.Announce(at, "wide", says)
				}
				expectWoken(t, s.reason, w, s.woken...)
				if s.asks == nil {
					continue
				}
				err := adopt(l, network, s.asks)
				expectReason(t, s.reason, s.want, err)
				if t.Failed() {
					t.Fatalf("in step %d", i)
				}
			}
			l.Withdraw(has)
			empty(t, l)
		})
	}
}

// Others that ask for the address of one that waits for a peer get it no sooner than
// that one's end.
func TestElsewhereKeepsItsAddress(t *testing.T) {
	network := net("wide", "10.0.0.0/28")
	has := holds(owner, "a", "wide", theirMAC, theirAddress+"/28")
	l, w := opened(network)
	if err := adopt(l, network, has); err != nil {
		t.Fatal(err)
	}
	l.Announce(remote, "wide", theirs())
	_, err := grant(l, network, rival, "b", askAddress(theirAddress))
	expectReason(t, "another has it", v1alpha1.ReasonAddressTaken, err)
	expectReason(t, "it waits", v1alpha1.ReasonAddressElsewhere, adopt(l, network, bound(has, "1")))
	l.Announce(remote, "wide", ipam.Announced{})
	expectWoken(t, "it is the owner's", w, owner)
	expectReason(t, "it is here", "", adopt(l, network, bound(has, "1")))
	l.Withdraw(has)
	expectWoken(t, "now it is the other's", w, rival)
}

// An L2Remote may name another network by now, and networks come and go under what is
// announced on them.
func TestElsewhereFollowsNetworks(t *testing.T) {
	wide, other := net("wide", "10.0.0.0/28"), net("other", "10.0.0.0/28")
	l, _ := opened()
	l.Announce(remote, "wide", theirs())
	for _, n := range []*v1alpha1.L2Network{wide, other} {
		l.Judge(n)
		l.Open(n.Key())
	}
	asked := func(why string, n *v1alpha1.L2Network, want string) {
		t.Helper()
		_, err := grant(l, n, owner, "a", askAddress(theirAddress))
		expectReason(t, why, want, err)
		l.Withdraw(asks(owner, "a", n.Name))
		l.Gone(owner)
	}
	asked("it was announced before the network was there", wide, v1alpha1.ReasonAddressElsewhere)
	asked("each network has addresses of its own", other, "")
	again := wide.DeepCopy()
	again.UID = "another life"
	l.Close(wide.Key())
	l.Judge(again)
	l.Open(again.Key())
	asked("the network was made again", again, v1alpha1.ReasonAddressElsewhere)
	l.Announce(remote, "other", theirs())
	asked("it is announced on another network", again, "")
	asked("which is this", other, v1alpha1.ReasonAddressElsewhere)
	l.Announce(remote, "other", ipam.Announced{})
	l.Close(wide.Key())
	l.Close(other.Key())
	if len(l.networks)+len(l.remotes) > 0 {
		t.Errorf("the ledger keeps %d networks and %d remotes", len(l.networks), len(l.remotes))
	}
}

// After a restart, whoever has what a peer announces by now has it, and who waits for
// a peer waits.
func TestElsewhereAfterRestart(t *testing.T) {
	said := func(a *v1alpha1.L2Attachment, c metav1.Condition) *v1alpha1.L2Attachment {
		c.ObservedGeneration = a.Generation
		meta.SetStatusCondition(&a.Status.Conditions, c)
		return a
	}
	has := holds(owner, "a", "wide", theirMAC, theirAddress+"/28")
	plugged := said(bound(has, "1"), v1alpha1.AttachmentAccepted())
	plugged.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: "wide"}
	kept := said(has.DeepCopy(), v1alpha1.AttachmentReserved())
	kept.Status.Addresses = theirAddress
	waits := said(bound(has, "1"), v1alpha1.AddressElsewhere(&ipam.ElsewhereError{Addr: netip.MustParseAddr(theirAddress), Peer: "east"}))
	cases := map[string]struct {
		reason   string
		recorded *v1alpha1.L2Attachment
		asks     *v1alpha1.L2Attachment
		want     string
	}{
		"Plugged": {"its pod runs", plugged, plugged, ""},
		"Kept":    {"its addresses are kept", kept, kept, ""},
		"Bound":   {"and its pod is here again", kept, bound(kept, "1"), v1alpha1.ReasonAddressElsewhere},
		"Waits":   {"it has waited before", waits, waits, v1alpha1.ReasonAddressElsewhere},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("wide", "10.0.0.0/28")
			a := newAPI(network)
			a.pods[podKey] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: podKey.Namespace, Name: podKey.Name, UID: "1"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
			l, w := opened()
			l.Announce(remote, "wide", theirs())
			l.Load([]v1alpha1.L2Attachment{*tc.recorded}, a)
			l.Judge(network)
			l.Open(network.Key())

			_, err := grant(l, network, rival, "b", askAddress(theirAddress))
			if refused, is := AsRefusal(err); !is || refused.Holder != owner.String() {
				t.Errorf("%s: another asks for the address: %v", tc.reason, err)
			}
			expectReason(t, tc.reason, tc.want, adopt(l, network, tc.asks))
			l.Announce(remote, "wide", ipam.Announced{})
			if tc.want == "" {
				return
			}
			expectWoken(t, tc.reason, w, owner)
			expectReason(t, tc.reason, "", adopt(l, network, tc.asks))
		})
	}
}

// A restart changes nothing, in whatever order attachments are looked at.
func TestElsewhereVerdictsSurviveRestart(t *testing.T) {
	network := net("wide", "10.0.0.0/28")
	for seed := range uint64(50) {
		w := &world{api: newAPI(network)}
		w.pods[podKey] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: podKey.Namespace, Name: podKey.Name, UID: "1"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
		mine, other := holds(owner, "a", "wide", mac(1), theirAddress+"/28"), holds(rival, "b", "wide", mac(2), theirAddress+"/28")
		w.add(mine, other)
		l, _ := opened(network)
		w.reconcile(l, mine)
		l.Announce(remote, "wide", theirs())
		w.announced = map[types.NamespacedName]ipam.Announced{remote: theirs()}
		*mine = *bound(mine, "1")
		mine.Generation++
		w.reconcile(l, other)
		w.reconcile(l, mine)
		before := w.verdicts(l)
		after := w.verdicts(w.restarted(rand.New(rand.NewPCG(seed, seed)))) //nolint:gosec // an order, no secret
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("seed %d: -before +after\n%s", seed, diff)
		}
	}
}
