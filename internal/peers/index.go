package peers

import (
	"iter"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/btree"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/overlap"
)

// Index finds which of OVN-Kubernetes' networks meet one of ours, and which of ours
// meet one of theirs. What changes costs as much as it meets, and not a walk of all. A
// change of theirs returns those of ours that may have something else to say.
//
// One of ours is noted by the look at it (Compare), in one step: so either that sees a
// change of theirs, or the change sees that it was noted.
type Index struct {
	mu   sync.Mutex
	ours map[types.NamespacedName]network
	// named are the keys of ours by name, then namespace.
	named *btree.BTreeG[types.NamespacedName]
	// ourSpans have each network in the scope of its namespace, and those that let
	// others' pods in also in that of all.
	ourSpans spans

	definitions map[types.NamespacedName][]netip.Prefix
	// theirSpans have each definition in the scope of its namespace and in that of all.
	theirSpans spans
	namespaced map[types.NamespacedName]struct{}
	cluster    map[string]labels.Selector
}

// everywhere is the scope of all namespaces.
const everywhere = ""

type network struct {
	subnets []netip.Prefix
	shared  bool
}

// NewIndex makes an empty one.
func NewIndex() *Index {
	const degree = 32
	byName := func(a, b types.NamespacedName) bool {
		return a.Name < b.Name || a.Name == b.Name && a.Namespace < b.Namespace
	}
	return &Index{
		ours: map[types.NamespacedName]network{}, named: btree.NewG(degree, byName), ourSpans: newSpans(),
		definitions: map[types.NamespacedName][]netip.Prefix{}, theirSpans: newSpans(),
		namespaced: map[types.NamespacedName]struct{}{}, cluster: map[string]labels.Selector{},
	}
}

// Namespaces say which of their pods meet a network of ours. They are asked while the
// index is locked.
type Namespaces interface {
	// Lets says whether pods of the namespace may be on the network.
	Lets(network *v1alpha1.L2Network, namespace string) bool
	// Labels are those of a namespace.
	Labels(namespace string) labels.Set
}

// Found is what one of our networks meets.
type Found struct {
	// SameName is the kind and the name of one of theirs, empty where there is none.
	SameName string
	Overlaps []overlap.Overlap
}

// Compare notes the network and says what it meets.
func (i *Index) Compare(n *v1alpha1.L2Network, of Namespaces) Found {
	i.mu.Lock()
	defer i.mu.Unlock()
	is := network{overlap.Subnets(n), n.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromAll || n.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromSelector}
	i.note(n.Key(), is)
	f := Found{SameName: i.sameName(n.Key(), of)}
	scope := n.Namespace
	if is.shared {
		scope = everywhere
	}
	for _, subnet := range is.subnets {
		for at := range i.theirSpans.overlapping(scope, subnet) {
			if at.key.Namespace == n.Namespace || of.Lets(n, at.key.Namespace) {
				f.Overlaps = append(f.Overlaps, overlap.Overlap{Subnet: subnet, Range: overlap.Range{Kind: overlap.Peers, Prefix: at.subnet, Object: at.key.String()}})
				return f // one is told, as of the cluster's own
			}
		}
	}
	return f
}

func (i *Index) sameName(key types.NamespacedName, of Namespaces) string {
	if _, has := i.namespaced[key]; has {
		return Namespaced.Kind + ` "` + key.String() + `"`
	}
	if selector, has := i.cluster[key.Name]; has && selector.Matches(of.Labels(key.Namespace)) {
		return ClusterWide.Kind + ` "` + key.Name + `"`
	}
	if _, has := i.definitions[key]; has {
		return `NetworkAttachmentDefinition "` + key.String() + `"`
	}
	return ""
}

func (i *Index) note(key types.NamespacedName, is network) {
	was, has := i.ours[key]
	if has && was.shared == is.shared && slices.Equal(was.subnets, is.subnets) {
		return
	}
	i.unnote(key)
	i.ours[key] = is
	i.named.ReplaceOrInsert(key)
	for at := range is.spans(key) {
		i.ourSpans.ReplaceOrInsert(at)
	}
}

func (i *Index) unnote(key types.NamespacedName) {
	for at := range i.ours[key].spans(key) {
		i.ourSpans.Delete(at)
	}
	i.named.Delete(key)
	delete(i.ours, key)
}

func (n network) spans(key types.NamespacedName) iter.Seq[span] {
	return spansOf(key, n.subnets, n.shared)
}

func spansOf(key types.NamespacedName, subnets []netip.Prefix, shared bool) iter.Seq[span] {
	return func(yield func(span) bool) {
		for _, subnet := range subnets {
			if !yield(span{key.Namespace, subnet, key}) || shared && !yield(span{everywhere, subnet, key}) {
				return
			}
		}
	}
}

// Forget drops one of ours that is gone.
func (i *Index) Forget(key types.NamespacedName) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unnote(key)
}
