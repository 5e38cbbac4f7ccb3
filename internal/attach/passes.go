package attach

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// matching pairs requests with attachments, the better matches first. Both may
// be many, so no request looks through attachments: each pass sorts them by what
// they offer, and a request takes the first that offers what it asks.
type matching struct {
	pod      *corev1.Pod
	requests []Request
	serving  []*v1alpha1.L2Attachment
	open     []*v1alpha1.L2Attachment
	// entries and interfaces are those of all requests.
	entries, interfaces map[string]bool
}

// key is what a pass compares: the fields that it does not are empty.
type key struct {
	entry   string
	network types.NamespacedName
	iface   string
}

// pass is one way to match. An attachment may offer nothing to it, a request
// may ask nothing of it.
type pass struct {
	offers func(*v1alpha1.L2Attachment) (key, bool)
	asks   func(Request) (key, bool)
}

func newMatching(pod *corev1.Pod, requests []Request, attachments []v1alpha1.L2Attachment) *matching {
	m := &matching{
		pod: pod, requests: requests, serving: make([]*v1alpha1.L2Attachment, len(requests)),
		entries: map[string]bool{}, interfaces: map[string]bool{},
	}
	for _, r := range requests {
		m.interfaces[r.Interface] = true
		if r.Entry != "" {
			m.entries[r.Entry] = true
		}
	}
	for i := range attachments {
		if a := &attachments[i]; a.Spec.PodName == pod.Name && a.DeletionTimestamp.IsZero() {
			m.open = append(m.open, a)
		}
	}
	slices.SortFunc(m.open, func(a, b *v1alpha1.L2Attachment) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

func (m *matching) passes() []pass {
	entryOf := func(a *v1alpha1.L2Attachment) (string, bool) {
		entry := a.Annotations[v1alpha1.EntryAnnotation]
		return entry, entry != "" && (BornFrom(a, m.pod) || UserMade(a))
	}
	return []pass{
		{ // the same entry with the same interface
			offers: func(a *v1alpha1.L2Attachment) (key, bool) {
				entry, ok := entryOf(a)
				return key{entry: entry, iface: a.Spec.Interface}, ok
			},
			asks: func(r Request) (key, bool) { return key{entry: r.Entry, iface: r.Interface}, true },
		},
		{ // the same entry, whose place has changed since, because another went
			offers: func(a *v1alpha1.L2Attachment) (key, bool) {
				entry, ok := entryOf(a)
				return key{entry: entry}, ok
			},
			asks: func(r Request) (key, bool) { return key{entry: r.Entry}, !r.Fixed },
		},
		{ // a user's, with the interface that is asked for
			offers: func(a *v1alpha1.L2Attachment) (key, bool) {
				return key{network: a.NetworkKey(), iface: a.Spec.Interface}, m.adoptable(a)
			},
			asks: func(r Request) (key, bool) { return key{network: r.Network, iface: r.Interface}, true },
		},
		{ // a user's without an interface yet
			offers: func(a *v1alpha1.L2Attachment) (key, bool) {
				return key{network: a.NetworkKey()}, a.Spec.Interface == "" && m.adoptable(a)
			},
			asks: func(r Request) (key, bool) { return key{network: r.Network}, true },
		},
		{ // a user's with an interface that no request has
			offers: func(a *v1alpha1.L2Attachment) (key, bool) {
				return key{network: a.NetworkKey()}, !m.interfaces[a.Spec.Interface] && m.adoptable(a)
			},
			asks: func(r Request) (key, bool) { return key{network: r.Network}, !r.Fixed && !r.Placed },
		},
	}
}

// adoptable says whether an attachment is a user's that serves no other entry.
func (m *matching) adoptable(a *v1alpha1.L2Attachment) bool {
	return UserMade(a) && !m.entries[a.Annotations[v1alpha1.EntryAnnotation]]
}

func (m *matching) pair(by pass) {
	offered := map[key][]*v1alpha1.L2Attachment{}
	for _, a := range m.open {
		if k, ok := by.offers(a); ok {
			offered[k] = append(offered[k], a)
		}
	}
	taken := map[*v1alpha1.L2Attachment]bool{}
	for i, r := range m.requests {
		if m.serving[i] != nil || r.Err != nil {
			continue
		}
		k, ok := by.asks(r)
		if !ok || len(offered[k]) == 0 {
			continue
		}
		m.serving[i] = offered[k][0]
		offered[k] = offered[k][1:]
		taken[m.serving[i]] = true
	}
	m.open = slices.DeleteFunc(m.open, func(a *v1alpha1.L2Attachment) bool { return taken[a] })
}

func (m *matching) matched() Matched {
	matched := Matched{Serving: m.serving}
	for _, a := range m.open {
		if BornFrom(a, m.pod) {
			matched.Surplus = append(matched.Surplus, a)
		}
	}
	return matched
}
