package admission

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// recordedOn is an attachment with the one address that tiny has.
func recordedOn(network string, owner types.NamespacedName, uid types.UID) *v1alpha1.L2Attachment {
	return holds(owner, uid, network, "0a:58:0a:00:00:01", "10.0.0.1/32")
}

func TestLedgerHandover(t *testing.T) {
	waiting := asks(owner, "old", "tiny")
	cases := map[string]struct {
		reason string
		then   func(*Ledger)
		free   bool
	}{
		"Pending":        {"the write is under way", func(*Ledger) {}, false},
		"Refused":        {"the API refused the write", func(l *Ledger) { l.Cancel(owner, "") }, true},
		"PodGone":        {"the outcome of the write is unknown, and it is not tried again", func(l *Ledger) { l.Forget(podKey) }, true},
		"OtherPodGone":   {"another pod's end is none of its business", func(l *Ledger) { l.Forget(key("default", "pong")) }, false},
		"Deleted":        {"the attachment is gone", func(l *Ledger) { l.Confirm(owner, "new"); l.Withdraw(recordedOn("tiny", owner, "new")) }, true},
		"DeletedEarly":   {"gone before its write's answer came", func(l *Ledger) { l.Withdraw(recordedOn("tiny", owner, "new")); l.Confirm(owner, "new") }, true},
		"OldDeleted":     {"news of a predecessor's end comes late", func(l *Ledger) { l.Confirm(owner, "new"); l.Withdraw(recordedOn("tiny", owner, "old")) }, false},
		"WaitingDeleted": {"a predecessor that never had an address has none to give back", func(l *Ledger) { l.Withdraw(waiting) }, false},
		"CancelTooLate":  {"a confirmed write can't have been refused", func(l *Ledger) { l.Confirm(owner, "new"); l.Cancel(owner, "") }, false},
		"ForgetTooLate":  {"what is recorded is given back by its record's end", func(l *Ledger) { l.Confirm(owner, "new"); l.Forget(podKey) }, false},
		"GoneUnseen":     {"a cache that has yet to show it says nothing of its end", func(l *Ledger) { l.Confirm(owner, "new"); l.Gone(owner) }, false},
		"GoneSeen": {"what a cache has shown and shows no more is gone", func(l *Ledger) {
			l.Confirm(owner, "new")
			_ = adopt(l, tiny(), recordedOn("tiny", owner, "new"))
			l.Gone(owner)
		}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, _ := opened(tiny())
			mustGrant(t, l, tiny(), owner, "")

			tc.then(l)

			_, err := grant(l, tiny(), rival, "", ipam.Request{})
			want := v1alpha1.ReasonExhausted
			if tc.free {
				want = ""
			}
			expectReason(t, tc.reason, want, err)
		})
	}
}

func TestTakeAgain(t *testing.T) {
	elsewhere := net("elsewhere", "10.0.0.1/32")
	l, _ := opened(tiny(), elsewhere)
	first := mustGrant(t, l, tiny(), owner, "")
	if again := mustGrant(t, l, tiny(), owner, ""); !same(first, again) {
		t.Errorf("a retried write must ask for the same: got %v", again)
	}
	other := ipam.MAC{2, 0, 0, 0, 0, 1}
	changed, err := grant(l, tiny(), owner, "", ipam.Request{MAC: other})
	if err != nil || changed.MAC != other {
		t.Errorf("the pod asks for something else by now: got %v, %v", changed, err)
	}
	if _, err := grant(l, elsewhere, owner, "", ipam.Request{}); err != nil {
		t.Errorf("the pod asks for another network by now: %v", err)
	}
	if members := l.Members(tiny().Key()); len(members) > 0 {
		t.Errorf("the first network keeps what is not wanted any more: %v", members)
	}
	first = mustGrant(t, l, tiny(), owner, "")
	if taken := mustGrant(t, l, tiny(), owner, "new"); !same(first, taken) {
		t.Errorf("an attachment that exists takes over what is pending under its name: got %v", taken)
	}
	if _, err := grant(l, tiny(), owner, "", ipam.Request{}); !errors.Is(err, ErrBehind) {
		t.Errorf("the attachment exists, and the cache will show it: got %v", err)
	}
	if next := mustGrant(t, l, tiny(), owner, "next"); len(l.Members(tiny().Key())) != 1 {
		t.Errorf("a successor of the name has the one lease: got %v, members %v", next, l.Members(tiny().Key()))
	}
}

// A write that is under way is its newest pod's: nothing is left of an earlier
// one, and another pod's end does not touch it.
func TestTakeForAnotherPod(t *testing.T) {
	l, _ := opened(tiny())
	for _, pod := range []string{"ping", "pong", "pong"} {
		a := asks(owner, "", "tiny")
		a.Spec.PodName = pod
		if _, err := l.Take(Ask{Network: tiny(), Attachment: a}); err != nil {
			t.Fatal(err)
		}
	}
	l.Forget(key("default", "ping"))
	if members := l.Members(tiny().Key()); len(members) != 1 {
		t.Errorf("the first pod's end takes the lease back: %v", members)
	}
	l.Forget(key("default", "pong"))
	empty(t, l)
}

// What the API records is taken at start: first what was granted, then what a
// user asks for, and what is forged last, however old it is.
func TestLoadByPrecedence(t *testing.T) {
	yes := true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
	cases := map[string]struct {
		reason string
		change func(other *v1alpha1.L2Attachment)
		want   types.NamespacedName
	}{
		"Asking": {"a user who wrote the address got it only if that was accepted", func(*v1alpha1.L2Attachment) {}, rival},
		"Forged": {"nor does a false binding count", func(o *v1alpha1.L2Attachment) { o.Spec.PodUID, o.Spec.NodeName = "none", "node-a" }, rival},
		"Accepted": {"what was accepted counts by age", func(o *v1alpha1.L2Attachment) {
			said := v1alpha1.AttachmentReserved()
			said.ObservedGeneration = o.Generation
			o.Status.Conditions = []metav1.Condition{said}
		}, owner},
		"NoKey": {"what lacks a tunnel key alone has its addresses", func(o *v1alpha1.L2Attachment) {
			said := v1alpha1.NoPortKey(tiny().Key(), 1)
			said.ObservedGeneration = o.Generation
			o.Status.Conditions = []metav1.Condition{said}
		}, owner},
		"NoKeyBefore": {"but not those that were written since", func(o *v1alpha1.L2Attachment) {
			said := v1alpha1.NoPortKey(tiny().Key(), 1)
			said.ObservedGeneration = o.Generation - 1
			o.Status.Conditions = []metav1.Condition{said}
		}, rival},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			honest, other := recordedOn("tiny", rival, "honest"), recordedOn("tiny", owner, "other")
			honest.CreationTimestamp = metav1.NewTime(time.Unix(2000, 0))
			other.CreationTimestamp = metav1.NewTime(time.Unix(1000, 0))
			honest.Spec.PodUID, honest.Spec.NodeName = "uid", "node-a"
			honest.Annotations = map[string]string{v1alpha1.EntryAnnotation: "{}"}
			honest.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: "ping", UID: "uid", Controller: &yes}}
			tc.change(other)
			records := newAPI(tiny())
			records.pods[podKey] = pod

			l := records.load(*other, *honest)

			if diff := cmp.Diff([]string{tc.want.String()}, l.Members(tiny().Key())); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			_, err := grant(l, tiny(), key("default", "third"), "", ipam.Request{})
			expectReason(t, "an address that the API records is not given out again", v1alpha1.ReasonExhausted, err)
		})
	}
}

func TestAdopt(t *testing.T) {
	cases := map[string]struct {
		reason     string
		before     func(*Ledger)
		attachment *v1alpha1.L2Attachment
		want       string
	}{
		"Free":    {"what is recorded and free is taken", func(*Ledger) {}, recordedOn("tiny", owner, "a"), ""},
		"Taken":   {"two records of one address: the first has it", func(l *Ledger) { _ = adopt(l, tiny(), recordedOn("tiny", rival, "b")) }, recordedOn("tiny", owner, "a"), v1alpha1.ReasonAddressTaken},
		"Outside": {"a record may say what the network can't grant", func(*Ledger) {}, holds(owner, "a", "tiny", mac(1), "192.0.2.1/32"), v1alpha1.ReasonOutOfRange},
		"BadMAC":  {"or what can't be read", func(*Ledger) {}, holds(owner, "a", "tiny", "01:00:5e:00:00:01", "10.0.0.1/32"), v1alpha1.ReasonInvalid},
		"BadIP":   {"nor an address without a length", func(*Ledger) {}, holds(owner, "a", "tiny", mac(1), "10.0.0.1"), v1alpha1.ReasonInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, _ := opened(tiny())
			tc.before(l)
			expectReason(t, tc.reason, tc.want, adopt(l, tiny(), tc.attachment))
		})
	}
}

// What is not on record waits until all that is has been taken.
func TestNothingNewBeforeOpen(t *testing.T) {
	l := NewLedger(Cluster{MaxMTU: underlay}, (&wakes{}).wake())
	if _, err := grant(l, tiny(), rival, "", ipam.Request{}); !errors.Is(err, ErrBehind) {
		t.Errorf("a network whose records are not taken yet: got %v, want ErrBehind", err)
	}
	expectReason(t, "what is on record is taken at once", "", adopt(l, tiny(), recordedOn("tiny", owner, "a")))
	l.Open(tiny().Key())
	_, err := grant(l, tiny(), rival, "", ipam.Request{})
	expectReason(t, "then what is new is decided about", v1alpha1.ReasonExhausted, err)
	again := tiny()
	again.UID = "tiny-2"
	if _, err := grant(l, again, rival, "", ipam.Request{}); !errors.Is(err, ErrBehind) {
		t.Errorf("the same with another network of the name: got %v, want ErrBehind", err)
	}
}

// An attachment that moves has its address on both networks until the port is
// on one of them for certain.
func TestMoveHoldsBothSides(t *testing.T) {
	from, to := tiny(), net("to", "10.0.0.1/32")
	moved := recordedOn("to", owner, "a")
	cases := map[string]struct {
		reason string
		then   func(*Ledger)
		holds  []types.NamespacedName // the networks that hold the address
	}{
		"UnderWay": {"the port is still on the first, and promised on the second", func(*Ledger) {}, []types.NamespacedName{from.Key(), to.Key()}},
		"Done":     {"the port is on the second", func(l *Ledger) { l.Settle(to.Key(), owner, "a") }, []types.NamespacedName{to.Key()}},
		"NotYet":   {"a commit of the first says nothing of the second", func(l *Ledger) { l.Settle(from.Key(), owner, "a") }, []types.NamespacedName{from.Key(), to.Key()}},
		"OfOther":  {"nor does one of another attachment of the name", func(l *Ledger) { l.Settle(to.Key(), owner, "b") }, []types.NamespacedName{from.Key(), to.Key()}},
		"Undone": {"it stays, and the first is committed again", func(l *Ledger) {
			_, _ = l.Hold(Ask{Network: from, Attachment: moved})
			l.Settle(from.Key(), owner, "a")
		}, []types.NamespacedName{from.Key()}},
		"Stays":    {"its move is refused, and what it was promised is free", func(l *Ledger) { l.Keep(moved, from.Key()) }, []types.NamespacedName{from.Key()}},
		"Left":     {"it has no port anywhere", func(l *Ledger) { l.Keep(moved) }, nil},
		"LeftLate": {"news of a predecessor take nothing", func(l *Ledger) { l.Keep(recordedOn("to", owner, "z")) }, []types.NamespacedName{from.Key(), to.Key()}},
		"Deleted":  {"what is gone holds nothing", func(l *Ledger) { l.Withdraw(moved) }, nil},
		"FirstGone": {"a network that goes with its namespace holds it until the port is on the other", func(l *Ledger) {
			l.Close(from.Key())
			l.Settle(to.Key(), owner, "a")
		}, []types.NamespacedName{to.Key()}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, _ := opened(from, to)
			for _, network := range []*v1alpha1.L2Network{from, to} {
				if err := adopt(l, network, moved); err != nil {
					t.Fatal(err)
				}
			}
			tc.then(l)
			var holds []types.NamespacedName
			for _, key := range []types.NamespacedName{from.Key(), to.Key()} {
				if len(l.Members(key)) > 0 {
					holds = append(holds, key)
				}
			}
			if diff := cmp.Diff(tc.holds, holds); diff != "" {
				t.Errorf("%s: held on: -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.holds, l.On(moved)); diff != "" {
				t.Errorf("%s: On: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// A controller that starts in the middle of a move knows both sides. Whether the
// second lets the attachment in is decided again.
func TestMoveIsLoaded(t *testing.T) {
	moved := recordedOn("to", owner, "a")
	moved.Spec.PodUID, moved.Spec.NodeName = "uid", "node-a"
	moved.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: "tiny"}
	to := net("to", "10.0.0.1/32")
	shut := to.DeepCopy()
	shut.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	cases := map[string]struct {
		reason string
		to     *v1alpha1.L2Network
		want   []types.NamespacedName
	}{
		"LetIn":  {"what it was promised is not given to others", to, []types.NamespacedName{tiny().Key(), to.Key()}},
		"Closed": {"a network that is being deleted takes no more", shut, []types.NamespacedName{tiny().Key()}},
		"Gone":   {"nor does one that is gone", nil, []types.NamespacedName{tiny().Key()}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			records := newAPI(tiny())
			if tc.to != nil {
				records.networks[tc.to.Key()] = tc.to
			}
			records.pods[podKey] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
			l := records.load(*moved)
			if diff := cmp.Diff(tc.want, l.On(moved)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestVLinkHasTwoEnds(t *testing.T) {
	link := net("link")
	link.Spec.Type = v1alpha1.VLink
	l, _ := opened(link)
	for i, want := range []string{"", "", v1alpha1.ReasonLinkFull} {
		_, err := grant(l, link, key("default", fmt.Sprint("end-", i)), "", ipam.Request{})
		expectReason(t, fmt.Sprint("end ", i), want, err)
	}
}

// A network that is created again under its name starts with its own ipam: what
// its former life gave out is no reason against it.
func TestNetworkIsCreatedAgain(t *testing.T) {
	former, again := net("tiny", "10.0.0.0/24"), net("tiny", "10.0.0.0/24")
	again.UID = "tiny-2"
	again.Spec.IPAM.Ranges = []string{"10.0.0.128/25"}
	l, _ := opened(former)
	mustGrant(t, l, former, owner, "")
	if report := l.Judge(again); report.Refused != nil {
		t.Errorf("the new network's ipam is not in force: %v", report.Refused)
	}
	l.Open(again.Key())
	if lease := mustGrant(t, l, again, rival, ""); lease.Addresses[0].String() != "10.0.0.129/24" {
		t.Errorf("got %v, want 10.0.0.129/24", lease)
	}
	_, err := grant(l, again, key("default", "third"), "", ipam.Request{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	expectReason(t, "what is still held is still taken", v1alpha1.ReasonAddressTaken, err)
}
