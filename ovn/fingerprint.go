package ovn

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// fingerprint stands for a value: equal values have the same one, others
// another, but for one case in 2^64, which nobody can choose. It is good for
// this process only.
type fingerprint uint64

var seed = maphash.MakeSeed()

func fingerprintOf(s string) fingerprint {
	return fingerprint(maphash.String(seed, s))
}

// fingerprint is that of a network without its key, its ports and those that
// are leaving.
func (n Network) fingerprint() fingerprint {
	h := newHash()
	h.text(n.UID)
	h.pairs(configOf(n))
	h.text(n.Guard)
	sets := n.DHCP
	if len(sets) > 1 {
		sets = slices.SortedFunc(slices.Values(sets), func(a, b DHCP) int { return cmp.Compare(a.CIDR, b.CIDR) })
	}
	h.number(len(sets))
	for _, set := range sets {
		h.text(set.CIDR)
		h.pairs(set.Options)
	}
	return h.sum()
}

// fingerprint is that of a port without its name.
func (p Port) fingerprint() fingerprint {
	h := newHash()
	h.text(p.Owner)
	h.text(p.Type)
	h.set(p.Addresses)
	h.set(p.PortSecurity)
	h.pairs(p.Options)
	h.number(p.TunnelKey)
	h.text(p.Permit)
	return h.sum()
}

// hash takes values one after the other, each with its end.
type hash struct {
	maphash.Hash
}

func newHash() *hash {
	h := &hash{}
	h.SetSeed(seed)
	return h
}

func (h *hash) number(i int) {
	maphash.WriteComparable(&h.Hash, i)
}

func (h *hash) text(s string) {
	h.number(len(s))
	_, _ = h.WriteString(s)
}

// set takes values whose order and repetition mean nothing.
func (h *hash) set(values []string) {
	if len(values) > 1 {
		values = slices.Compact(slices.Sorted(slices.Values(values)))
	}
	h.number(len(values))
	for _, v := range values {
		h.text(v)
	}
}

// pairs takes a map: the sum of what its pairs are, as they have no order.
func (h *hash) pairs(m map[string]string) {
	var sum uint64
	for k, v := range m {
		pair := newHash()
		pair.text(k)
		pair.text(v)
		sum += pair.Sum64()
	}
	h.number(len(m))
	h.number(int(sum))
}

func (h *hash) sum() fingerprint {
	return fingerprint(h.Sum64())
}
