package admission

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// world is an API with attachments, and what a controller does with each: what
// the attachments' reconcile does, without the API.
type world struct {
	*api
	attachments []*v1alpha1.L2Attachment
	ledger      *Ledger
}

func (w *world) add(all ...*v1alpha1.L2Attachment) *world {
	for _, a := range all {
		a.CreationTimestamp = metav1.NewTime(time.Unix(int64(1000+len(w.attachments)), 0))
		w.attachments = append(w.attachments, a)
	}
	return w
}

// reconcile takes what the attachment asks for, records it, and says in its
// status how that went.
func (w *world) reconcile(l *Ledger, a *v1alpha1.L2Attachment) {
	said, taken := v1alpha1.AttachmentAccepted(), Taken{}
	err := MayHavePort(a, w.Pod(a.PodKey()))
	network := w.Network(a.NetworkKey())
	if err == nil && network == nil {
		err = Refuse(v1alpha1.NetworkNotFound(a.NetworkKey()))
	}
	if err == nil {
		taken, err = l.Take(Ask{Network: network, Attachment: a, Surroundings: w.Surroundings(network, a.Namespace), Request: requestOf(a)})
	}
	a.Status.Network, a.Status.Addresses = nil, ""
	if refusal, is := AsRefusal(err); is {
		said = refusal.Condition
		switch {
		case refusal.Reserves:
			l.Keep(a, a.NetworkKey())
		case !refusal.Keeps:
			l.Keep(a)
		}
	} else if err != nil {
		panic(err)
	}
	if err == nil {
		if Lacks(taken.Network, a) {
			Record(a, taken.Lease)
			a.Generation++
		}
	}
	if on := l.On(a); len(on) > 0 {
		a.Status.Addresses = strings.Join(a.Spec.Addresses, ", ")
		if a.Bound() && said.Reason != v1alpha1.ReasonAddressElsewhere {
			a.Status.Network = &v1alpha1.NetworkReference{Namespace: on[0].Namespace, Name: on[0].Name}
		}
	}
	said.ObservedGeneration = a.Generation
	meta.SetStatusCondition(&a.Status.Conditions, said)
}

func requestOf(a *v1alpha1.L2Attachment) ipam.Request {
	r := ipam.Request{}
	if lease, err := leaseOf(a); err == nil {
		r = ipam.Request(lease)
	}
	return r
}

// verdicts are the reasons that stand, and the addresses that are held.
func (w *world) verdicts(l *Ledger) map[string]string {
	all := map[string]string{}
	for _, a := range w.attachments {
		text := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted).Reason
		for _, network := range l.On(a) {
			lease, _ := l.network(network).pool.Lease(a.Key().String())
			text += fmt.Sprint(" ", network, " ", lease)
		}
		all[a.Key().String()] = text
	}
	return all
}

// restarted is a ledger that starts with the API, and has looked at all
// attachments in some order.
func (w *world) restarted(order *rand.Rand) *Ledger {
	list := make([]v1alpha1.L2Attachment, 0, len(w.attachments))
	for _, a := range w.attachments {
		list = append(list, *a.DeepCopy())
	}
	order.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	l := w.load(list...)
	for _, i := range order.Perm(len(w.attachments)) {
		w.reconcile(l, w.attachments[i])
	}
	return l
}

// bound is a user's attachment that is bound to the pod of its name.
func (w *world) bound(a *v1alpha1.L2Attachment, phase corev1.PodPhase) *v1alpha1.L2Attachment {
	a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName = a.Name, types.UID("uid-"+a.Name), "node-a"
	w.pods[a.PodKey()] = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, UID: a.Spec.PodUID},
		Spec:       corev1.PodSpec{NodeName: "node-a"}, Status: corev1.PodStatus{Phase: phase},
	}
	return a
}

// TestRefusedStaysRefused is all reasons for which an attachment is refused, each
// crossed with restarts: what was refused is refused for the same reason, and
// what was accepted keeps what it has, whichever is looked at first.
func TestRefusedStaysRefused(t *testing.T) {
	var (
		x     = func(namespace, network string) *v1alpha1.L2Attachment { return asks(key(namespace, "x"), "x", network) }
		named = func(name, network string) *v1alpha1.L2Attachment {
			return asks(key("default", name), types.UID(name), network)
		}
		large  = int32(9000)
		wide   = func() *v1alpha1.L2Network { return net("net", "10.0.0.0/24") }
		with   = func(n *v1alpha1.L2Network, change func(*v1alpha1.L2Network)) *v1alpha1.L2Network { change(n); return n }
		within = func(networks ...*v1alpha1.L2Network) *world { return &world{api: newAPI(networks...)} }
		guests = func(n *v1alpha1.L2Network) {
			n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, MaxAttachments: 1}
		}
		link    = func(n *v1alpha1.L2Network) { n.Spec.Type = v1alpha1.VLink }
		selects = func(n *v1alpha1.L2Network) {
			n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}}
		}
	)
	cases := map[string]struct {
		build func() *world // the last attachment is the one that is refused
		then  func(*world)  // what happens after all were looked at once
		want  string
		keeps bool // what it had before it asked for what is refused
	}{
		"NetworkNotFound": {func() *world { return within(wide()).add(named("a", "net"), x("default", "other")) }, nil, v1alpha1.ReasonNetworkNotFound, false},
		"NotAllowed":      {func() *world { return within(wide()).add(named("a", "net"), x("guests", "net")) }, nil, v1alpha1.ReasonNotAllowed, false},
		"NotSelected": {func() *world {
			w := within(with(wide(), selects)).add(asks(key("red", "a"), "a", "net"), x("guests", "net"))
			w.labels["red"] = labels.Set{"team": "red"}
			return w
		}, nil, v1alpha1.ReasonNotAllowed, false},
		"ShutOut": {func() *world {
			w := within(with(wide(), selects)).add(named("a", "net"), x("guests", "net"))
			w.labels["guests"] = labels.Set{"team": "red"}
			return w
		}, func(w *world) { delete(w.labels, "guests") }, v1alpha1.ReasonNotAllowed, false},
		"NotAccepted": {func() *world {
			return within(wide(), with(net("bad"), func(n *v1alpha1.L2Network) { n.Spec.MTU = &large })).add(named("a", "net"), x("default", "bad"))
		}, nil, v1alpha1.ReasonNotAccepted, false},
		"LinkFull": {func() *world {
			return within(with(wide(), link)).add(named("a", "net"), named("b", "net"), x("default", "net"))
		}, nil, v1alpha1.ReasonLinkFull, false},
		"LinkFullL2": {func() *world {
			return within(with(net("net"), link)).add(named("a", "net"), named("b", "net"), holds(key("default", "x"), "x", "net", mac(9)))
		}, nil, v1alpha1.ReasonLinkFull, false},
		"AddressTaken": {func() *world {
			return within(wide()).add(named("a", "net"), holds(key("default", "x"), "x", "net", mac(9), "10.0.0.1/24"))
		}, nil, v1alpha1.ReasonAddressTaken, false},
		"MACTaken": {func() *world {
			return within(wide()).add(holds(key("default", "a"), "a", "net", mac(9), "10.0.0.1/24"), holds(key("default", "x"), "x", "net", mac(9), "10.0.0.2/24"))
		}, nil, v1alpha1.ReasonMACTaken, false},
		"OutOfRange": {func() *world {
			return within(wide()).add(named("a", "net"), holds(key("default", "x"), "x", "net", mac(9), "192.0.2.1/24"))
		}, nil, v1alpha1.ReasonOutOfRange, false},
		"Exhausted": {func() *world {
			return within(net("net", "10.0.0.0/30")).add(named("a", "net"), named("b", "net"), x("default", "net"))
		}, nil, v1alpha1.ReasonExhausted, false},
		"TooMany": {func() *world {
			return within(with(wide(), guests)).add(asks(key("guests", "a"), "a", "net"), named("b", "net"), x("guests", "net"))
		}, nil, v1alpha1.ReasonTooMany, false},
		"Invalid": {func() *world {
			return within(wide()).add(named("a", "net"), holds(key("default", "x"), "x", "net", mac(9), "10.0.0.9/8"))
		}, nil, v1alpha1.ReasonInvalid, false},
		"InvalidMAC": {func() *world {
			return within(wide()).add(named("a", "net"), holds(key("default", "x"), "x", "net", "01:00:5e:00:00:01", "10.0.0.9/24"))
		}, nil, v1alpha1.ReasonInvalid, false},
		"Override": {func() *world {
			w := within(wide()).add(named("a", "net"), x("default", "net"))
			w.attachments[1].Spec.PortSecurity = v1alpha1.PortSecurityDisabled
			return w
		}, nil, v1alpha1.ReasonNotAllowed, false},
		"OverrideLater": {func() *world {
			w := within(wide()).add(named("a", "net"))
			return w.add(w.bound(x("default", "net"), corev1.PodRunning))
		},
			func(w *world) {
				w.attachments[1].Spec.PortSecurity = v1alpha1.PortSecurityDisabled
				w.attachments[1].Generation++
			}, v1alpha1.ReasonNotAllowed, true},
		"Role": {func() *world {
			w := within(wide()).add(named("a", "net"), x("default", "net"))
			w.attachments[1].Spec.Roles = []v1alpha1.Role{v1alpha1.RoleRouter}
			return w
		}, nil, v1alpha1.ReasonRoleNotAllowed, false},
		"RoleLater": {func() *world {
			w := within(wide()).add(named("a", "net"))
			return w.add(w.bound(x("default", "net"), corev1.PodRunning))
		},
			func(w *world) {
				w.attachments[1].Spec.Roles = []v1alpha1.Role{v1alpha1.RoleRouter}
				w.attachments[1].Generation++
			}, v1alpha1.ReasonRoleNotAllowed, true},
		"OverrideReserved": {func() *world {
			return within(wide()).add(named("a", "net"), holds(key("default", "x"), "x", "net", mac(9), "10.0.0.9/24"))
		},
			func(w *world) {
				w.attachments[1].Spec.PortSecurity = v1alpha1.PortSecurityDisabled
				w.attachments[1].Generation++
				w.reconcile(w.ledger, w.attachments[1])
			}, v1alpha1.ReasonNotAllowed, true},
		"NetworkGone": {func() *world {
			return within(with(wide(), func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }), net("other")).add(named("a", "other"), x("default", "net"))
		}, nil, v1alpha1.ReasonNetworkGone, false},
		"GuestLeaves": {func() *world { return within(with(wide(), guests)).add(named("a", "net"), x("guests", "net")) },
			func(w *world) {
				w.Network(key("default", "net")).DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			}, v1alpha1.ReasonNetworkGone, false},
		"NamespaceGoes": {func() *world { w := within(wide(), net("other")).add(x("default", "net")); return w },
			func(w *world) {
				w.Network(key("default", "net")).DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
				w.going = []string{"default"}
			}, v1alpha1.ReasonNetworkGone, false},
		"BindingMismatch": {func() *world {
			w := within(wide()).add(named("a", "net"), x("default", "net"))
			w.attachments[1].Spec.PodUID, w.attachments[1].Spec.NodeName = "none", "node-a"
			return w
		}, nil, v1alpha1.ReasonForged, false},
		"Forged": {func() *world { // the address of one that was accepted, and older than it
			w := within(wide())
			forged := holds(key("default", "x"), "x", "net", mac(9), "10.0.0.1/24")
			forged.Spec.PodUID, forged.Spec.NodeName = "none", "node-a"
			w.add(named("a", "net"), forged)
			forged.CreationTimestamp = metav1.NewTime(time.Unix(1, 0))
			return w
		}, nil, v1alpha1.ReasonForged, false},
		"PodEnded": {func() *world {
			w := within(wide()).add(named("a", "net"))
			return w.add(w.bound(x("default", "net"), corev1.PodFailed))
		}, nil, v1alpha1.ReasonPodEnded, false},
		"MovedWhileDown": { // what is asked for now was accepted elsewhere
			func() *world {
				w := within(wide(), net("other", "10.0.0.0/24"))
				x := x("default", "other")
				w.add(x, named("a", "net"))
				w.attachments = []*v1alpha1.L2Attachment{w.attachments[1], x} // looked at last, though it is older
				return w
			},
			func(w *world) { w.attachments[1].Spec.Network.Name = "net"; w.attachments[1].Generation++ }, v1alpha1.ReasonAddressTaken, false,
		},
		"MovedToLinkWhileDown": {
			func() *world {
				return within(with(net("net"), link), net("other")).add(named("a", "net"), named("b", "net"), x("default", "other"))
			},
			func(w *world) { w.attachments[2].Spec.Network.Name = "net"; w.attachments[2].Generation++ }, v1alpha1.ReasonLinkFull, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seed := uint64(len(name)) //nolint:gosec // a test's order
			order := rand.New(rand.NewPCG(seed, 7))
			w := tc.build()
			l := w.load()
			w.ledger = l
			for _, a := range w.attachments {
				w.reconcile(l, a)
			}
			refused := w.attachments[len(w.attachments)-1]
			others := slices.DeleteFunc(slices.Sorted(mapKeys(w.verdicts(l))), func(k string) bool { return k == refused.Key().String() })
			had := w.verdicts(l)
			if tc.then != nil {
				tc.then(w)
			}
			for round := range 8 {
				l = w.restarted(order)
				got := w.verdicts(l)
				if reason := meta.FindStatusCondition(refused.Status.Conditions, v1alpha1.ConditionAccepted).Reason; reason != tc.want {
					t.Fatalf("after %d restarts it is %s, want %s", round+1, reason, tc.want)
				}
				for _, other := range others {
					if got[other] != had[other] {
						t.Errorf("%s has %q, and had %q", other, got[other], had[other])
					}
				}
				if keeps := len(l.On(refused)) > 0; keeps != tc.keeps {
					t.Errorf("after %d restarts it has a lease: %t", round+1, keeps)
				}
				if diff := cmp.Diff(map[string]bool{}, notHeld(l, w)); diff != "" {
					t.Errorf("held by none of those that were accepted: %s", diff)
				}
			}
		})
	}
}

// notHeld are members of networks that no attachment was accepted for.
func notHeld(l *Ledger, w *world) map[string]bool {
	extra := map[string]bool{}
	for _, held := range l.Snapshot() {
		i := slices.IndexFunc(w.attachments, func(a *v1alpha1.L2Attachment) bool { return a.Key() == held.Owner })
		said := meta.FindStatusCondition(w.attachments[i].Status.Conditions, v1alpha1.ConditionAccepted)
		if said.Status != metav1.ConditionTrue && w.attachments[i].Spec.PortSecurity == "" && w.attachments[i].Spec.Roles == nil {
			extra[held.Owner.String()] = true
		}
	}
	return extra
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Objects that a backup has restored have no status: those that record what they
// had have it, the older before the younger, and then by name.
func TestRestoredByAge(t *testing.T) {
	at := func(a *v1alpha1.L2Attachment, second int64) v1alpha1.L2Attachment {
		a.CreationTimestamp = metav1.NewTime(time.Unix(second, 0))
		return *a
	}
	record := func(name string) *v1alpha1.L2Attachment {
		return recordedOn("tiny", key("default", name), types.UID(name))
	}
	cases := map[string]struct {
		reason string
		all    []v1alpha1.L2Attachment
		want   string
	}{
		"Complete":  {"what records the address has it, however young", []v1alpha1.L2Attachment{at(asks(key("default", "a"), "a", "tiny"), 1), at(record("b"), 9)}, "default/b"},
		"Older":     {"the older of two records", []v1alpha1.L2Attachment{at(record("a"), 9), at(record("b"), 1)}, "default/b"},
		"Name":      {"a restore gives many the same second: then the name decides", []v1alpha1.L2Attachment{at(record("b"), 1), at(record("a"), 1)}, "default/a"},
		"Namespace": {"the namespace before the name", []v1alpha1.L2Attachment{at(record("a"), 1), at(recordedOn("tiny", key("aaa", "z"), "z"), 1)}, "aaa/z"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 4 {
				network := tiny()
				network.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll
				slices.Reverse(tc.all)
				l := newAPI(network).load(tc.all...)
				if diff := cmp.Diff([]string{tc.want}, l.Members(network.Key())); diff != "" {
					t.Errorf("%s: -want +got\n%s", tc.reason, diff)
				}
			}
		})
	}
}

// What nothing was said of is decided about: a vlink has two ends at a start, too.
func TestLoadDecides(t *testing.T) {
	link := net("link")
	link.Spec.Type = v1alpha1.VLink
	yes := true
	records := newAPI(link)
	var all []v1alpha1.L2Attachment
	for i := range 3 {
		a := holds(waiter(i), types.UID(fmt.Sprint(i)), "link", mac(i+1))
		a.Spec.PodUID, a.Spec.NodeName = "uid", "node-a"
		a.Annotations = map[string]string{v1alpha1.EntryAnnotation: "{}"}
		a.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: "ping", UID: "uid", Controller: &yes}}
		all = append(all, *a)
	}
	records.pods[podKey] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
	l := records.load(all...)
	if members := l.Members(link.Key()); len(members) != 2 {
		t.Errorf("a vlink has the ends %v", members)
	}
}

// A narrowing that strands addresses is refused after a restart as before it:
// what is on record is taken before the new spec is judged.
func TestStrandingStaysRefused(t *testing.T) {
	first := net("net", "10.0.0.0/24")
	narrowed := next(first, func(s *v1alpha1.L2NetworkSpec) { s.IPAM.Ranges = []string{"10.0.0.128/25"} })
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Network)
		want   string
		next   string // the address that the next one is assigned
	}{
		"Recorded": {"the status records what is in force", func(n *v1alpha1.L2Network) { n.Status.InForce = &first.Spec }, v1alpha1.ReasonInvalid, "10.0.0.2/24"},
		"Restored": {"without it nothing is known of what was in force, and who is there stays", func(*v1alpha1.L2Network) {}, "", "10.0.0.129/24"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := narrowed.DeepCopy()
			tc.change(network)
			w := (&world{api: newAPI(network)}).add(holds(owner, "a", "net", mac(1), "10.0.0.1/24"))
			l := w.load(*w.attachments[0])
			expectReason(t, tc.reason, tc.want, l.Judge(network).Refused)
			if lease := mustGrant(t, l, network, rival, "b"); lease.Addresses[0].String() != tc.next {
				t.Errorf("%s: the next one has %v, want %s", tc.reason, lease.Addresses[0], tc.next)
			}
		})
	}
}

// What counts at a start is what stands, not what would be decided about it now.
func TestLoadKeepsWhatStands(t *testing.T) {
	said := func(a *v1alpha1.L2Attachment, c metav1.Condition) *v1alpha1.L2Attachment {
		c.ObservedGeneration = a.Generation
		a.Status.Conditions = []metav1.Condition{c}
		return a
	}
	bound := func(a *v1alpha1.L2Attachment) *v1alpha1.L2Attachment {
		a.Spec.PodUID, a.Spec.NodeName = "none", "node-a"
		a.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: "net"}
		return a
	}
	record := func(name string, i int) *v1alpha1.L2Attachment {
		return holds(key("guests", name), types.UID(name), "net", mac(i))
	}
	full := v1alpha1.AttachmentRefused(v1alpha1.ReasonTooMany, "too many")
	cases := map[string]struct {
		reason string
		all    []*v1alpha1.L2Attachment
		want   []string
	}{
		"Accepted": {"a bound that was lowered since takes nothing from members", []*v1alpha1.L2Attachment{said(record("a", 1), v1alpha1.AttachmentReserved()), said(record("b", 2), v1alpha1.AttachmentReserved())}, []string{"guests/a", "guests/b"}},
		"Refused":  {"what was refused is decided about in its turn, though it could be taken", []*v1alpha1.L2Attachment{said(record("a", 1), full)}, []string{}},
		"Forged":   {"a false binding has no port, whatever stands in its status", []*v1alpha1.L2Attachment{bound(said(record("a", 1), full))}, []string{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("net")
			network.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, MaxAttachments: 1}
			var list []v1alpha1.L2Attachment
			for _, a := range tc.all {
				list = append(list, *a)
			}
			l := newAPI(network).load(list...)
			if diff := cmp.Diff(tc.want, l.Members(network.Key())); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}
