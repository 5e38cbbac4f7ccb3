package peers

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/btree"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/overlap"
)

// namespaces are those whose pods shared networks let in.
type namespaces map[string]bool

func (n namespaces) Lets(network *v1alpha1.L2Network, namespace string) bool {
	return network.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromAll || n[namespace]
}

func (n namespaces) Labels(namespace string) labels.Set {
	return labels.Set{"in": fmt.Sprint(n[namespace])}
}

func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func ours(k types.NamespacedName, from v1alpha1.FromNamespaces, subnets ...string) *v1alpha1.L2Network {
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Name}}
	n.Spec.AllowedNamespaces.From = from
	if len(subnets) > 0 {
		n.Spec.IPAM = &v1alpha1.IPAM{Subnets: subnets}
	}
	return n
}

// model is the same by a look at each.
type model struct {
	ours        map[types.NamespacedName]*v1alpha1.L2Network
	definitions map[types.NamespacedName][]netip.Prefix
	namespaced  map[types.NamespacedName]bool
	cluster     map[string]labels.Selector
}

func (m *model) sameName(k types.NamespacedName, of namespaces) bool {
	_, defined := m.definitions[k]
	selector := m.cluster[k.Name]
	return defined || m.namespaced[k] || selector != nil && selector.Matches(of.Labels(k.Namespace))
}

func (m *model) overlaps(n *v1alpha1.L2Network, of namespaces) bool {
	for k, subnets := range m.definitions {
		if k.Namespace != n.Namespace && (n.Spec.AllowedNamespaces.From == v1alpha1.NamespacesFromSame || !of.Lets(n, k.Namespace)) {
			continue
		}
		for _, theirs := range subnets {
			for _, own := range overlap.Subnets(n) {
				if own.Overlaps(theirs) {
					return true
				}
			}
		}
	}
	return false
}

// Whatever happens in whichever order, each network says what a look at everything
// would say: and those that say something else than before were returned.
func TestIndexMissesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) int { return random.IntN(n) }
	anyKey := func() types.NamespacedName { return key(string(rune('a'+pick(3))), string(rune('r'+pick(6)))) }
	subnet := func() netip.Prefix {
		if pick(4) == 0 {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(pick(256))}), 8+pick(121)).Masked()
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(pick(2)), byte(pick(4)), byte(pick(256))}), 14+pick(19)).Masked()
	}
	i, of := NewIndex(), namespaces{"a": true}
	m := model{map[types.NamespacedName]*v1alpha1.L2Network{}, map[types.NamespacedName][]netip.Prefix{}, map[types.NamespacedName]bool{}, map[string]labels.Selector{}}
	said := map[types.NamespacedName]string{}
	met, changed := 0, 0
	for step := range 20_000 {
		var affected []types.NamespacedName
		k := anyKey()
		switch pick(8) {
		case 0, 1:
			from := []v1alpha1.FromNamespaces{v1alpha1.NamespacesFromSame, v1alpha1.NamespacesFromAll, v1alpha1.NamespacesFromSelector}[pick(3)]
			m.ours[k] = ours(k, from, subnet().String())
			affected = append(affected, k)
		case 2:
			delete(m.ours, k)
			delete(said, k)
			i.Forget(k)
		case 3, 4:
			m.definitions[k] = []netip.Prefix{subnet(), subnet()}
			affected = i.SetDefinition(k, m.definitions[k], true)
		case 5:
			delete(m.definitions, k)
			affected = i.SetDefinition(k, nil, false)
		case 6:
			m.namespaced[k] = pick(2) == 0
			affected = i.SetNamespaced(k, m.namespaced[k])
		case 7:
			switch pick(3) {
			case 0:
				m.cluster[k.Name] = labels.SelectorFromSet(labels.Set{"in": "true"})
				affected = i.SetClusterWide(k.Name, m.cluster[k.Name])
			case 1:
				delete(m.cluster, k.Name)
				affected = i.SetClusterWide(k.Name, nil)
			case 2:
				of[k.Namespace] = !of[k.Namespace]
				affected = i.Relabelled(k.Namespace)
			}
		}
		for at, n := range m.ours {
			now := fmt.Sprint(m.sameName(at, of), m.overlaps(n, of))
			if was, has := said[at]; has && was != now && !slices.Contains(affected, at) {
				t.Fatalf("step %d: network %s says %s in place of %s, and was not returned: %v", step, at, now, was, affected)
			}
			if said[at] == now && !slices.Contains(affected, at) {
				continue
			}
			found := i.Compare(n, of)
			if got := fmt.Sprint(found.SameName != "", len(found.Overlaps) > 0); got != now {
				t.Fatalf("step %d: network %s: got %s, want %s: %+v", step, at, got, now, found)
			}
			if found.SameName != "" || len(found.Overlaps) > 0 {
				met++
			}
			changed++
			said[at] = now
		}
	}
	if met == 0 || met == changed {
		t.Errorf("%d of %d meet another: the test has nothing to tell apart", met, changed)
	}
	for at := range m.ours {
		i.Forget(at)
	}
	for at := range m.definitions {
		i.SetDefinition(at, nil, false)
	}
	left := []int{len(i.ours), i.named.Len(), i.ourSpans.Len(), len(i.definitions), i.theirSpans.Len()}
	if diff := cmp.Diff([]int{0, 0, 0, 0, 0}, left); diff != "" {
		t.Errorf("what is gone leaves nothing: %s", diff)
	}
}

// One that is told is that of the most addresses: the same one each time.
func TestTheLargestIsTold(t *testing.T) {
	i := NewIndex()
	for name, subnet := range map[string]string{"b": "10.1.0.0/16", "a": "10.1.0.0/16", "small": "10.1.1.0/24", "inner": "10.1.1.0/28"} {
		i.SetDefinition(key("ns", name), []netip.Prefix{netip.MustParsePrefix(subnet)}, true)
	}
	found := i.Compare(ours(key("ns", "net"), v1alpha1.NamespacesFromSame, "10.1.1.0/24"), namespaces{})
	want := `subnet 10.1.1.0/24 overlaps the cluster's networks of OVN-Kubernetes (10.1.0.0/16 of NetworkAttachmentDefinition "ns/a")`
	if got := overlap.Describe(found.Overlaps); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An update that changes neither name nor subnets has no network looked at.
func TestUnchangedDefinition(t *testing.T) {
	i := NewIndex()
	subnets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	i.Compare(ours(key("ns", "net"), v1alpha1.NamespacesFromSame, "10.1.1.0/24"), namespaces{})
	if got := i.SetDefinition(key("ns", "d"), subnets, true); len(got) != 1 {
		t.Errorf("a new definition affects %v, want the one network", got)
	}
	if got := i.SetDefinition(key("ns", "d"), slices.Clone(subnets), true); got != nil {
		t.Errorf("an unchanged one affects %v", got)
	}
	if got := i.SetDefinition(key("ns", "other"), nil, false); got != nil {
		t.Errorf("one that is not theirs affects %v", got)
	}
}

// A change of one of theirs costs no walk of ours, however many there are: the steps of
// a binary search, for each prefix length.
func TestChangesAreCheap(t *testing.T) {
	steps := func(networks int) (count int) {
		i := NewIndex()
		counts := func(a, b span) bool {
			count++
			return a.order(b) < 0
		}
		i.ourSpans, i.theirSpans = spans{btree.NewG(32, counts)}, spans{btree.NewG(32, counts)}
		for n := range networks {
			k := key(fmt.Sprintf("ns-%d", n%100), fmt.Sprintf("n-%d", n))
			i.Compare(ours(k, v1alpha1.NamespacesFromAll, fmt.Sprintf("10.%d.%d.0/24", n/256, n%256)), namespaces{})
			i.SetDefinition(key(k.Namespace, "d-"+k.Name), []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("11.%d.%d.0/24", n/256, n%256))}, true)
		}
		count = 0
		i.SetDefinition(key("ns-1", "changes"), []netip.Prefix{netip.MustParsePrefix("10.0.1.0/28")}, true)
		return count
	}
	few, many := steps(100), steps(12_800)
	const searches, larger = 2*(28+1) + 2, 7 // in two scopes for each length of the prefix, and two insertions; among 2^7 times as many
	if most := few + 2*searches*larger; many > most {
		t.Errorf("%d comparisons with 100 networks, %d with 12,800: want at most %d", few, many, most)
	}
	t.Logf("%d comparisons with 100 networks, %d with 12,800", few, many)
}
