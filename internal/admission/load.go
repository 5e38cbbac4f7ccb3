package admission

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// Records are what a ledger starts with: how the API looks.
type Records interface {
	// Network is nil where the API has none of the name.
	Network(types.NamespacedName) *v1alpha1.L2Network
	// Pod is nil where the API has none of the name.
	Pod(types.NamespacedName) *corev1.Pod
	// Surroundings are those of an attachment in the namespace.
	Surroundings(network *v1alpha1.L2Network, namespace string) Surroundings
}

// Load takes what the attachments of the API record, by the same decision as
// ever: first those that have been accepted as they are, then those that have
// changed since, then those that nothing has been said of, the complete ones
// first, then by age. What was refused is not taken: it is decided about when its
// turn comes, after all that was accepted.
func (l *Ledger) Load(attachments []v1alpha1.L2Attachment, records Records) {
	sorted := ByPrecedence(attachments, records.Pod)
	for _, r := range sorted {
		if r.rank < refused || keeps(r.Attachment) {
			l.record(r, LeaseNetwork(r.Attachment), records)
		}
	}
	// What moves takes the address that it asks for on its new network, before
	// others can.
	for _, r := range sorted {
		if r.rank < refused && LeaseNetwork(r.Attachment) != r.Attachment.NetworkKey() {
			l.record(Ranked{r.Attachment, asking}, r.Attachment.NetworkKey(), records)
		}
	}
}

// record takes what one attachment records on a network. One that was accepted
// as it is, or keeps what it has, is a member before it is decided about; one
// that has changed may name a network that never let it in. What is refused now
// is told by the attachment's own reconcile.
func (l *Ledger) record(r Ranked, on types.NamespacedName, records Records) {
	a := r.Attachment
	network := records.Network(on)
	if network == nil || !a.Complete() || MayHavePort(a, records.Pod(a.PodKey())) != nil {
		return
	}
	ask := Ask{Network: network, Attachment: a, Surroundings: records.Surroundings(network, a.Namespace)}
	if r.rank == accepted || keeps(a) {
		l.member(a, on, ask) // whatever peers announce by now
	}
	_, _ = l.Take(ask)
}

// member has the attachment be one of the network's, with what it records.
func (l *Ledger) member(a *v1alpha1.L2Attachment, on types.NamespacedName, ask Ask) {
	owner := a.Key()
	lease, err := leaseOf(a)
	if err != nil {
		return
	}
	defer l.turn(owner)()
	rests := !a.Bound() || awaitsPeer(a)
	if _, held := l.holder(owner); held || !l.admitTo(on, owner, lease, ask.Network, rests) {
		return
	}
	l.hold(owner, holder{}.on(on).of(a.UID), a.PodKey())
}

// admitTo makes the owner a member with the lease, if that is free.
func (l *Ledger) admitTo(key, owner types.NamespacedName, lease ipam.Lease, network *v1alpha1.L2Network, rests bool) bool {
	n := l.locked(key)
	defer n.mu.Unlock()
	n.judge(network, l.cluster)
	if name := owner.String(); n.pool.Has(name) || n.pool.Hold(name, lease) != nil {
		return false
	}
	n.joined(owner)
	n.rest(owner.String(), rests)
	return true
}

// The order of attachments that compete for what a network has.
const (
	accepted = iota
	changed
	asking
	refused
	forged
)

// Ranked is an attachment with its rank in that order.
type Ranked struct {
	Attachment *v1alpha1.L2Attachment
	rank       int
}

// ByPrecedence puts those attachments first that have been accepted, so that
// what was refused, or is forged, never takes the address of a valid one; then
// the complete ones, and of these the older first.
func ByPrecedence(attachments []v1alpha1.L2Attachment, pod func(types.NamespacedName) *corev1.Pod) []Ranked {
	sorted := make([]Ranked, 0, len(attachments))
	for i := range attachments {
		a := &attachments[i]
		sorted = append(sorted, Ranked{a, rankOf(a, pod(a.PodKey()))})
	}
	incomplete := func(a *v1alpha1.L2Attachment) int {
		if a.Complete() {
			return 0
		}
		return 1
	}
	slices.SortFunc(sorted, func(x, y Ranked) int {
		return cmp.Or(
			cmp.Compare(x.rank, y.rank),
			cmp.Compare(incomplete(x.Attachment), incomplete(y.Attachment)),
			x.Attachment.CreationTimestamp.Compare(y.Attachment.CreationTimestamp.Time),
			cmp.Compare(x.Attachment.Namespace, y.Attachment.Namespace),
			cmp.Compare(x.Attachment.Name, y.Attachment.Name),
		)
	})
	return sorted
}

func rankOf(a *v1alpha1.L2Attachment, pod *corev1.Pod) int {
	said := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	bound := CheckBinding(a, pod) == nil
	userMade := attach.UserMade(a)
	switch {
	case !bound && (!userMade || a.Bound()):
		return forged
	case said != nil && said.Status == metav1.ConditionFalse && !lacksKeyAlone(a, said):
		return refused
	case said != nil && said.ObservedGeneration == a.Generation:
		return accepted
	case said != nil:
		return changed // by its user, or by the controller, which bound it
	case !userMade && a.Complete():
		return changed // by the controller, which has yet to say so
	default:
		return asking // it may be the user who wrote the addresses
	}
}

// lacksKeyAlone says whether the attachment waits for a tunnel key and nothing else: it
// has the addresses that it records meanwhile.
func lacksKeyAlone(a *v1alpha1.L2Attachment, said *metav1.Condition) bool {
	waits := said.Reason == v1alpha1.ReasonNoTunnelKey || said.Reason == v1alpha1.ReasonTunnelKeyTaken
	return waits && said.ObservedGeneration == a.Generation && a.Status.Network == nil
}

// keeps says whether the attachment has something, by its status, whatever was
// refused of it: its port, or the addresses that are reserved for its next pod.
func keeps(a *v1alpha1.L2Attachment) bool {
	if a.Bound() {
		return a.Status.Network != nil || awaitsPeer(a)
	}
	said := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	return a.Status.Addresses != "" && said != nil && said.ObservedGeneration == a.Generation
}
