package overlap

import (
	"net/netip"
	"slices"
	"sort"
	"strings"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Index has the ranges of a cluster so that those which overlap a network are
// found in O(log n). It does not change, and may be shared.
type Index struct {
	// kinds are the ranges of each kind, in order. None overlaps another: what
	// lies inside of a range overlaps nothing that the range does not.
	kinds [kinds][]Range
	// looked is called at each range that is looked at, for a test.
	looked func()
}

// NewIndex makes an index of the ranges, whose order does not matter.
func NewIndex(ranges []Range) *Index {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, Range.order)
	index := &Index{}
	for _, r := range sorted {
		own := &index.kinds[r.Kind]
		if last := len(*own) - 1; last < 0 || !(*own)[last].Prefix.Overlaps(r.Prefix) {
			*own = append(*own, r)
		}
	}
	return index
}

// Equal says whether both find the same for every network.
func (i *Index) Equal(o *Index) bool {
	for kind := range i.kinds {
		if !slices.Equal(i.kinds[kind], o.kinds[kind]) {
			return false
		}
	}
	return true
}

// maxSubnets is how many subnets the API lets a network have: one of each family.
const maxSubnets = 2

// Find has an overlap of each kind that the network's subnets have, the most
// serious first.
func (i *Index) Find(network *v1alpha1.L2Network) []Overlap {
	subnets, count := parse(network)
	var all []Overlap
	for kind := range i.kinds {
		for _, subnet := range subnets[:count] {
			if r, found := i.first(Kind(kind), subnet); found {
				all = append(all, Overlap{subnet, r})
				break
			}
		}
	}
	return all
}

// Subnets are those of a network that can be read.
func Subnets(network *v1alpha1.L2Network) []netip.Prefix {
	subnets, count := parse(network)
	return subnets[:count]
}

// parse reads a network's subnets, but for those that can't be read: such a spec
// is refused.
func parse(network *v1alpha1.L2Network) (subnets [maxSubnets]netip.Prefix, count int) {
	if network.Spec.IPAM == nil {
		return subnets, 0
	}
	texts := network.Spec.IPAM.Subnets
	for _, text := range texts[:min(maxSubnets, len(texts))] {
		if subnet, err := netip.ParsePrefix(text); err == nil {
			subnets[count] = subnet.Masked()
			count++
		}
	}
	return subnets, count
}

// first is the first range of a kind that the subnet overlaps. Of ranges that
// do not overlap each other, that is the one that the subnet begins in, or else
// the first behind the subnet's beginning.
func (i *Index) first(kind Kind, subnet netip.Prefix) (Range, bool) {
	ranges := i.kinds[kind]
	behind := sort.Search(len(ranges), func(at int) bool {
		if i.looked != nil {
			i.looked()
		}
		return subnet.Addr().Less(ranges[at].Prefix.Addr())
	})
	for at := max(0, behind-1); at <= behind && at < len(ranges); at++ {
		if ranges[at].Prefix.Overlaps(subnet) {
			return ranges[at], true
		}
	}
	return Range{}, false
}

// Describe tells of overlaps in one sentence.
func Describe(all []Overlap) string {
	var parts []string
	for _, o := range all {
		parts = append(parts, o.String())
	}
	return strings.Join(parts, "; ")
}
