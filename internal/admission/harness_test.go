package admission

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

const underlay = 1442

// expectReason checks a decision: the empty reason is yes.
func expectReason(t *testing.T, why, want string, err error) {
	t.Helper()
	refused, ok := AsRefusal(err)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: refused with %v", why, err)
	case want != "" && !ok:
		t.Errorf("%s: got %v, want a refusal %s", why, err, want)
	case want != "" && refused.Reason != want:
		t.Errorf("%s: refused with %s, want %s", why, refused.Reason, want)
	}
}

func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

var (
	podKey = key("default", "ping")
	owner  = key("default", "ping-net1-1")
	rival  = key("default", "pong-net1-2")
)

// net is a network default/<name> with the subnets.
func net(name string, subnets ...string) *v1alpha1.L2Network {
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name + "-1"), Generation: 1}}
	if len(subnets) > 0 {
		n.Spec.IPAM = &v1alpha1.IPAM{Subnets: subnets}
	}
	return n
}

// tiny has room for one attachment.
func tiny() *v1alpha1.L2Network { return net("tiny", "10.0.0.1/32") }

// asks is a user's attachment that has nothing on record yet.
func asks(owner types.NamespacedName, uid types.UID, network string) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid, Generation: 1},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: "ping", Network: v1alpha1.NetworkReference{Namespace: "default", Name: network}},
	}
}

// holds is a user's attachment with everything on record.
func holds(owner types.NamespacedName, uid types.UID, network, mac string, addresses ...string) *v1alpha1.L2Attachment {
	a := asks(owner, uid, network)
	a.Spec.MACAddress, a.Spec.Addresses = mac, addresses
	return a
}

// mac is the i-th of many.
func mac(i int) string { return fmt.Sprintf("02:00:00:00:%02x:%02x", i>>8, i&0xff) }

// wakes counts what a ledger wakes.
type wakes struct {
	mu                    sync.Mutex
	attachments           []types.NamespacedName
	networks, memberships int
}

func (w *wakes) wake() Wake {
	return Wake{
		Attachments: func(all ...types.NamespacedName) { w.note(func() { w.attachments = append(w.attachments, all...) }) },
		Networks:    func(all ...types.NamespacedName) { w.note(func() { w.networks += len(all) }) },
		Members:     func(all ...types.NamespacedName) { w.note(func() { w.memberships += len(all) }) },
	}
}

func (w *wakes) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// woken are the attachments that were woken since it was last called.
func (w *wakes) woken() []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	woken := w.attachments
	w.attachments = nil
	return woken
}

// opened is a ledger that has the networks, with nothing on record of them.
func opened(networks ...*v1alpha1.L2Network) (*Ledger, *wakes) {
	w := &wakes{}
	l := NewLedger(Cluster{MaxMTU: underlay}, w.wake())
	for _, n := range networks {
		l.Judge(n)
		l.Open(n.Key())
	}
	return l, w
}

// grant takes what an attachment asks for that is about to be written.
func grant(l *Ledger, n *v1alpha1.L2Network, owner types.NamespacedName, uid types.UID, r ipam.Request) (ipam.Lease, error) {
	taken, err := l.Take(Ask{Network: n, Attachment: asks(owner, uid, n.Name), Request: r})
	return taken.Lease, err
}

// adopt takes what an attachment has on record.
func adopt(l *Ledger, n *v1alpha1.L2Network, a *v1alpha1.L2Attachment) error {
	_, err := l.Take(Ask{Network: n, Attachment: a})
	return err
}

func mustGrant(t *testing.T, l *Ledger, n *v1alpha1.L2Network, owner types.NamespacedName, uid types.UID) ipam.Lease {
	t.Helper()
	lease, err := grant(l, n, owner, uid, ipam.Request{})
	if err != nil {
		t.Fatalf("%s on %s: %v", owner, n.Name, err)
	}
	return lease
}

// empty checks that nothing of what came and went is left in memory.
func empty(t *testing.T, l *Ledger) {
	t.Helper()
	if n := len(l.holders) + len(l.pending.pods) + len(l.pending.by) + len(l.lines); n > 0 {
		t.Errorf("the ledger keeps %d holders, %d pending, %d in lines", len(l.holders), len(l.pending.pods), len(l.lines))
	}
	for key, n := range l.networks {
		waits := n.waiting.lines != nil || n.waiting.place != nil || n.waiting.woken != nil
		if waits || n.guests != nil || n.resting != nil || n.pool.Len() > 0 {
			t.Errorf("network %s keeps lines %v, places %v, woken %v, guests %v, resting %v, %d members",
				key, n.waiting.lines, n.waiting.place, n.waiting.woken, n.guests, n.resting, n.pool.Len())
		}
	}
}

// api is what a ledger starts with.
type api struct {
	networks map[types.NamespacedName]*v1alpha1.L2Network
	pods     map[types.NamespacedName]*corev1.Pod
	labels   map[string]labels.Set // of namespaces
	going    []string              // namespaces
	// announced is what L2Remotes say, on network wide.
	announced map[types.NamespacedName]ipam.Announced
}

func newAPI(networks ...*v1alpha1.L2Network) *api {
	a := &api{networks: map[types.NamespacedName]*v1alpha1.L2Network{}, pods: map[types.NamespacedName]*corev1.Pod{}, labels: map[string]labels.Set{}}
	for _, n := range networks {
		a.networks[n.Key()] = n
	}
	return a
}

func (a *api) Network(key types.NamespacedName) *v1alpha1.L2Network { return a.networks[key] }
func (a *api) Pod(key types.NamespacedName) *corev1.Pod             { return a.pods[key] }

func (a *api) Surroundings(network *v1alpha1.L2Network, namespace string) Surroundings {
	goes := !network.DeletionTimestamp.IsZero() && slices.Contains(a.going, network.Namespace)
	return Surroundings{Labels: a.labels[namespace], NetworkGoes: goes}
}

// load is a ledger after a restart.
func (a *api) load(attachments ...v1alpha1.L2Attachment) *Ledger {
	l, _ := opened()
	for remote, says := range a.announced {
		l.Announce(remote, "wide", says)
	}
	l.Load(attachments, a)
	for key, n := range a.networks {
		l.Judge(n)
		l.Open(key)
	}
	return l
}

var _ Records = &api{}
