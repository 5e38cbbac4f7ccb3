package peers

import (
	"cmp"
	"iter"
	"net/netip"

	"github.com/google/btree"
	"k8s.io/apimachinery/pkg/types"
)

// span is a subnet of a network, in the scope where others look for it.
type span struct {
	scope  string
	subnet netip.Prefix
	key    types.NamespacedName
}

func (s span) order(o span) int {
	return cmp.Or(
		cmp.Compare(s.scope, o.scope), s.subnet.Addr().Compare(o.subnet.Addr()), cmp.Compare(s.subnet.Bits(), o.subnet.Bits()), order(s.key, o.key))
}

func order(k, o types.NamespacedName) int {
	return cmp.Or(cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Name, o.Name))
}

// spans finds those that overlap a subnet in as many steps as there are, and a search
// for each shorter prefix.
type spans struct{ *btree.BTreeG[span] }

func newSpans() spans {
	const degree = 32 // btree's own benchmarks'
	return spans{btree.NewG(degree, func(a, b span) bool { return a.order(b) < 0 })}
}

// overlapping are those of a scope, the largest first.
func (s spans) overlapping(scope string, subnet netip.Prefix) iter.Seq[span] {
	return func(yield func(span) bool) {
		goes := true
		for bits := 0; bits < subnet.Bits() && goes; bits++ {
			around := netip.PrefixFrom(subnet.Addr(), bits).Masked()
			s.AscendGreaterOrEqual(span{scope: scope, subnet: around}, func(at span) bool {
				goes = goes && (at.scope != scope || at.subnet != around || yield(at))
				return goes && at.scope == scope && at.subnet == around
			})
		}
		if !goes {
			return
		}
		s.AscendGreaterOrEqual(span{scope: scope, subnet: subnet}, func(at span) bool {
			return at.scope == scope && subnet.Contains(at.subnet.Addr()) && yield(at)
		})
	}
}
