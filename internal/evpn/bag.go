package evpn

import "slices"

// bag holds keys in order, each with how often it was added. A slice, since most hold
// one or two, and the many that a hostile peer makes cost a memmove each.
type bag[K any] struct {
	compare func(a, b K) int
	keys    []K
	counts  []int32
}

func (b *bag[K]) add(k K) {
	i, found := slices.BinarySearchFunc(b.keys, k, b.compare)
	if found {
		b.counts[i]++
		return
	}
	b.keys = slices.Insert(b.keys, i, k)
	b.counts = slices.Insert(b.counts, i, 1)
}

func (b *bag[K]) remove(k K) {
	i, found := slices.BinarySearchFunc(b.keys, k, b.compare)
	if !found {
		return
	}
	b.counts[i]--
	if b.counts[i] == 0 {
		b.keys = slices.Delete(b.keys, i, i+1)
		b.counts = slices.Delete(b.counts, i, i+1)
	}
}
