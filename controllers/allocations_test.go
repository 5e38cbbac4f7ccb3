package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// records are what the API, or a cache of it, holds.
type records struct {
	attachments []v1alpha1.L2Attachment
	pods        []corev1.Pod
}

func (r *records) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.L2AttachmentList).Items = r.attachments
	return nil
}

func (r *records) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *corev1.Pod:
		for _, p := range r.pods {
			if client.ObjectKeyFromObject(&p) == key {
				p.DeepCopyInto(o)
				return nil
			}
		}
	case *v1alpha1.L2Attachment:
		for _, a := range r.attachments {
			if client.ObjectKeyFromObject(&a) == key {
				a.DeepCopyInto(o)
				return nil
			}
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

var (
	podKey = types.NamespacedName{Namespace: "default", Name: "ping"}
	owner  = types.NamespacedName{Namespace: "default", Name: "ping-net1-1"}
	rival  = types.NamespacedName{Namespace: "default", Name: "pong-net1-2"}
)

// tiny has room for one attachment.
func tiny() *v1alpha1.L2Network {
	return &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "tiny", UID: "tiny-1"},
		Spec:       v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.1/32"}}},
	}
}

// recorded is an attachment on tiny as the API has it, with the one address.
func recorded(key types.NamespacedName, uid types.UID) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: uid},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: "ping", Network: v1alpha1.NetworkReference{Name: "tiny"},
			MACAddress: "0a:58:0a:00:00:01", Addresses: []string{"10.0.0.1/32"},
		},
	}
}

func TestAllocationsHandover(t *testing.T) {
	waiting := recorded(owner, "old")
	waiting.Spec.MACAddress, waiting.Spec.Addresses = "", nil
	cases := map[string]struct {
		reason string
		then   func(*Allocations)
		free   bool
	}{
		"Pending":        {"the write is under way", func(*Allocations) {}, false},
		"Refused":        {"the API refused the write", func(a *Allocations) { a.Cancel(owner, "") }, true},
		"PodGone":        {"nobody knows whether the write was carried out, and nobody will retry", func(a *Allocations) { a.Forget(podKey) }, true},
		"OtherPodGone":   {"another pod's end is none of its business", func(a *Allocations) { a.Forget(types.NamespacedName{Namespace: "default", Name: "pong"}) }, false},
		"Deleted":        {"the attachment is gone", func(a *Allocations) { a.Confirm(owner, "new"); a.Withdraw(recorded(owner, "new")) }, true},
		"DeletedEarly":   {"gone before its write's answer came", func(a *Allocations) { a.Withdraw(recorded(owner, "new")); a.Confirm(owner, "new") }, true},
		"OldDeleted":     {"news of a predecessor's end comes late", func(a *Allocations) { a.Confirm(owner, "new"); a.Withdraw(recorded(owner, "old")) }, false},
		"WaitingDeleted": {"a predecessor that never had an address has none to give back", func(a *Allocations) { a.Withdraw(waiting) }, false},
		"CancelTooLate":  {"a confirmed write can't have been refused", func(a *Allocations) { a.Confirm(owner, "new"); a.Cancel(owner, "") }, false},
		"ForgetTooLate":  {"what is recorded is given back by its record's end", func(a *Allocations) { a.Confirm(owner, "new"); a.Forget(podKey) }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := NewAllocations(&records{}, &records{})
			if _, err := a.Grant(t.Context(), tiny(), owner, podKey, "", ipam.Request{}); err != nil {
				t.Fatal(err)
			}

			tc.then(a)

			_, err := a.Grant(t.Context(), tiny(), rival, podKey, "", ipam.Request{})
			want := v1alpha1.ReasonExhausted
			if tc.free {
				want = ""
			}
			expectReason(t, tc.reason, want, err)
		})
	}
}

func TestGrantAgain(t *testing.T) {
	a := NewAllocations(&records{}, &records{})
	first, err := a.Grant(t.Context(), tiny(), owner, podKey, "", ipam.Request{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Grant(t.Context(), tiny(), owner, podKey, "", ipam.Request{})
	if err != nil || !same(first, again) {
		t.Errorf("a retried write must ask for the same: got %v, %v", again, err)
	}
	other := ipam.MAC{2, 0, 0, 0, 0, 1}
	changed, err := a.Grant(t.Context(), tiny(), owner, podKey, "", ipam.Request{MAC: other})
	if err != nil || changed.MAC != other {
		t.Errorf("the pod asks for something else by now: got %v, %v", changed, err)
	}
	elsewhere := tiny()
	elsewhere.Name, elsewhere.UID = "elsewhere", "elsewhere-1"
	if _, err := a.Grant(t.Context(), elsewhere, owner, podKey, "", ipam.Request{}); err != nil {
		t.Errorf("the pod asks for another network by now: %v", err)
	}
	if holders, _ := a.Holders(t.Context(), client.ObjectKeyFromObject(tiny())); len(holders) > 0 {
		t.Errorf("the first network keeps what nobody wants: %v", holders)
	}
	first, _ = a.Grant(t.Context(), tiny(), owner, podKey, "", ipam.Request{})
	taken, err := a.Grant(t.Context(), tiny(), owner, podKey, "new", ipam.Request{})
	if err != nil || !same(first, taken) {
		t.Errorf("an attachment that exists takes over what is pending under its name: got %v, %v", taken, err)
	}
	if _, err := a.Grant(t.Context(), tiny(), owner, podKey, "", ipam.Request{}); !errors.Is(err, errSettling) {
		t.Errorf("the attachment exists, and the cache will show it: got %v", err)
	}
}

// What the API records is taken at start: first what was granted, then what a
// user asks for, and what is forged last, however old it is.
func TestAllocationsAreLoadedOnce(t *testing.T) {
	yes := true
	honest, other := recorded(rival, "honest"), recorded(owner, "other")
	honest.CreationTimestamp = metav1.NewTime(time.Unix(2000, 0))
	other.CreationTimestamp = metav1.NewTime(time.Unix(1000, 0))
	honest.Spec.PodUID, honest.Spec.NodeName = "uid", "node-a"
	honest.Annotations = map[string]string{v1alpha1.EntryAnnotation: "{}"}
	honest.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: "ping", UID: "uid", Controller: &yes}}
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
	cases := map[string]struct {
		reason string
		change func()
		want   types.NamespacedName
	}{
		"Asking": {"a user who wrote the address got it only if that was accepted", func() {}, rival},
		"Forged": {"nor does a false binding count", func() { other.Spec.PodUID, other.Spec.NodeName = "none", "node-a" }, rival},
		"Accepted": {"what was accepted counts by age", func() {
			other.Spec.PodUID, other.Spec.NodeName = "", ""
			other.Status.Conditions = []metav1.Condition{v1alpha1.AttachmentReserved()}
		}, owner},
	}
	for _, name := range []string{"Asking", "Forged", "Accepted"} {
		tc := cases[name]
		tc.change()
		api := &records{attachments: []v1alpha1.L2Attachment{*other, *honest}, pods: []corev1.Pod{pod}}
		a := NewAllocations(api, api)

		holders, err := a.Holders(t.Context(), types.NamespacedName{Namespace: "default", Name: "tiny"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{tc.want.String()}, holders); diff != "" {
			t.Errorf("%s: %s: -want +got\n%s", name, tc.reason, diff)
		}
		if _, err := a.Grant(t.Context(), tiny(), types.NamespacedName{Namespace: "default", Name: "third"}, podKey, "", ipam.Request{}); err == nil {
			t.Errorf("%s: an address that the API records was handed out again", name)
		}
	}
}

func TestAdopt(t *testing.T) {
	other := tiny()
	other.Name, other.UID = "other", "other-1"
	outside := recorded(owner, "a")
	outside.Spec.Addresses = []string{"192.0.2.1/32"}
	cases := map[string]struct {
		reason     string
		before     func(*Allocations)
		attachment *v1alpha1.L2Attachment
		inCache    bool
		want       string
		retried    bool
	}{
		"Free":    {"what is recorded and free is taken", func(*Allocations) {}, recorded(owner, "a"), true, "", false},
		"Taken":   {"two records of one address: the first has it", func(a *Allocations) { _ = a.Adopt(t.Context(), tiny(), recorded(rival, "b")) }, recorded(owner, "a"), true, v1alpha1.ReasonAddressTaken, false},
		"Outside": {"a record may say what the network can't grant", func(*Allocations) {}, outside, true, v1alpha1.ReasonOutOfRange, false},
		"Deleted": {"who was deleted meanwhile holds nothing: nobody would give it back", func(*Allocations) {}, recorded(owner, "a"), false, "", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cache := &records{attachments: []v1alpha1.L2Attachment{*recorded(rival, "b")}}
			if tc.inCache {
				cache.attachments = append(cache.attachments, *tc.attachment)
			}
			a := NewAllocations(&records{}, cache)
			tc.before(a)
			err := a.Adopt(t.Context(), tiny(), tc.attachment)
			if tc.retried {
				if !errors.Is(err, errSettling) {
					t.Errorf("%s: got %v", tc.reason, err)
				}
				return
			}
			expectReason(t, tc.reason, tc.want, err)
		})
	}
}

// An attachment that moves has its address on both networks until the port is
// on one of them for certain.
func TestMoveHoldsBothSides(t *testing.T) {
	from, to := tiny(), tiny()
	to.Name, to.UID = "to", "to-1"
	moved := recorded(owner, "a")
	moved.Spec.Network.Name = "to"
	all := []*v1alpha1.L2Attachment{moved}
	fromKey, toKey := client.ObjectKeyFromObject(from), client.ObjectKeyFromObject(to)
	cases := map[string]struct {
		reason string
		then   func(*Allocations)
		holds  []types.NamespacedName // the networks that hold the address
		member types.NamespacedName
	}{
		"UnderWay":   {"the port is still on the first, and promised on the second", func(*Allocations) {}, []types.NamespacedName{fromKey, toKey}, fromKey},
		"Done":       {"the port is on the second", func(a *Allocations) { a.Settle(toKey, all) }, []types.NamespacedName{toKey}, toKey},
		"NotYet":     {"a commit of the first says nothing of the second", func(a *Allocations) { a.Settle(fromKey, all) }, []types.NamespacedName{fromKey, toKey}, fromKey},
		"Undone":     {"it stays, and the first is committed again", func(a *Allocations) { _ = a.Adopt(t.Context(), from, moved); a.Settle(fromKey, all) }, []types.NamespacedName{fromKey}, fromKey},
		"Left":       {"it has no port anywhere: only what it names counts", func(a *Allocations) { a.Leave(moved) }, []types.NamespacedName{toKey}, toKey},
		"Deleted":    {"what is gone holds nothing", func(a *Allocations) { a.Withdraw(moved) }, nil, types.NamespacedName{}},
		"FirstGone":  {"a network that goes with its namespace takes its part along", func(a *Allocations) { a.Drop(fromKey); a.Settle(toKey, all) }, []types.NamespacedName{toKey}, toKey},
		"SecondGone": {"so does the one that it moves to", func(a *Allocations) { a.Drop(toKey) }, nil, types.NamespacedName{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := NewAllocations(&records{}, &records{attachments: []v1alpha1.L2Attachment{*moved}})
			for _, network := range []*v1alpha1.L2Network{from, to} {
				if err := a.Adopt(t.Context(), network, moved); err != nil {
					t.Fatal(err)
				}
			}
			tc.then(a)
			var holds []types.NamespacedName
			member := types.NamespacedName{}
			for _, key := range []types.NamespacedName{fromKey, toKey} {
				if holders, _ := a.Holders(t.Context(), key); len(holders) > 0 {
					holds = append(holds, key)
				}
				if is, _ := a.Member(t.Context(), key, moved); is {
					member = key
				}
			}
			if diff := cmp.Diff(tc.holds, holds); diff != "" {
				t.Errorf("%s: held on: -want +got\n%s", tc.reason, diff)
			}
			if member != tc.member {
				t.Errorf("%s: it is a member of %v, want %v", tc.reason, member, tc.member)
			}
		})
	}
}

// A controller that starts in the middle of a move knows both sides, and that
// the second has yet to let the attachment in.
func TestMoveIsLoaded(t *testing.T) {
	moved, late := recorded(owner, "a"), recorded(rival, "b")
	for _, a := range []*v1alpha1.L2Attachment{moved, late} {
		a.Spec.PodUID, a.Spec.NodeName = "uid", "node-a"
	}
	moved.Spec.Network.Name, late.Spec.Network.Name = "to", "to"
	moved.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: "tiny"}
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
	api := &records{attachments: []v1alpha1.L2Attachment{*moved}, pods: []corev1.Pod{pod}}
	a := NewAllocations(api, api)
	for _, name := range []string{"tiny", "to"} {
		key := types.NamespacedName{Namespace: "default", Name: name}
		if holders, _ := a.Holders(t.Context(), key); !cmp.Equal(holders, []string{owner.String()}) {
			t.Errorf("%s is held by %v", name, holders)
		}
		if is, _ := a.Member(t.Context(), key, moved); is != (name == "tiny") {
			t.Errorf("a member of %s: %t", name, is)
		}
	}
}

func TestVLinkHasTwoEnds(t *testing.T) {
	link := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "link", UID: "l"}, Spec: v1alpha1.L2NetworkSpec{Type: v1alpha1.VLink}}
	a := NewAllocations(&records{}, &records{})
	for i, want := range []string{"", "", v1alpha1.ReasonLinkFull} {
		end := types.NamespacedName{Namespace: "default", Name: fmt.Sprint("end-", i)}
		_, err := a.Grant(t.Context(), link, end, podKey, "", ipam.Request{})
		expectReason(t, fmt.Sprint("end ", i), want, err)
	}
}

// Concurrent reconciles, and each address once.
func TestGrantConcurrently(t *testing.T) {
	network := tiny()
	network.Spec.IPAM.Subnets = []string{"10.0.0.0/25"} // 126 addresses
	a := NewAllocations(&records{}, &records{})
	var (
		mu    sync.Mutex
		given = map[string]string{}
		none  int
		all   sync.WaitGroup
	)
	for i := range 130 {
		all.Go(func() {
			key := types.NamespacedName{Namespace: "default", Name: fmt.Sprint("a-", i)}
			lease, err := a.Grant(t.Context(), network, key, podKey, "", ipam.Request{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				none++
				return
			}
			if other, twice := given[lease.Addresses[0].String()]; twice {
				t.Errorf("%s was given to %s and to %s", lease.Addresses[0], other, key)
			}
			given[lease.Addresses[0].String()] = key.String()
		})
	}
	all.Wait()
	if len(given) != 126 || none != 4 {
		t.Errorf("%d were served and %d not, want 126 and 4", len(given), none)
	}
}

// A network made anew under its name starts with its own ipam: what its former
// life handed out is no reason against it.
func TestNetworkIsMadeAnew(t *testing.T) {
	former, anew := tiny(), tiny()
	former.Spec.IPAM.Subnets = []string{"10.0.0.0/24"}
	anew.UID = "tiny-2"
	anew.Spec.IPAM = &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}, Ranges: []string{"10.0.0.128/25"}}
	a := NewAllocations(&records{}, &records{})
	if _, err := a.Grant(t.Context(), former, owner, podKey, "", ipam.Request{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Prepare(t.Context(), anew); err != nil {
		t.Errorf("the new network's ipam is not in force: %v", err)
	}
	lease, err := a.Grant(t.Context(), anew, rival, podKey, "", ipam.Request{})
	if err != nil || lease.Addresses[0].String() != "10.0.0.129/24" {
		t.Errorf("got %v, %v, want 10.0.0.129/24", lease, err)
	}
	_, err = a.Grant(t.Context(), anew, types.NamespacedName{Namespace: "default", Name: "third"}, podKey, "",
		ipam.Request{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	expectReason(t, "what somebody still has is still taken", v1alpha1.ReasonAddressTaken, err)
}

func TestIsRejected(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		want   bool
	}{
		"Conflict": {"a 4xx was not carried out", apierrors.NewConflict(schema.GroupResource{}, "a", errors.New("changed")), true},
		"Timeout":  {"a time-out may have been", apierrors.NewTimeoutError("slow", 1), false},
		"Internal": {"so may a 500", apierrors.NewInternalError(errors.New("etcd")), false},
		"Network":  {"and a lost connection", errors.New("connection reset"), false},
		"None":     {"success is no rejection", nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isRejected(tc.err); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}
