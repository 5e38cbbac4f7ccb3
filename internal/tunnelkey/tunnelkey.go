// Package tunnelkey gives out the numbers that tell networks, and the ports of a
// network, apart in tunnels between nodes. Where every node has a northbound
// database of its own, all of them must ask OVN for the same numbers, and a number
// that two have is a silent, total loss for one of them.
//
// The package knows no API: what is on record is held first, and what is taken is
// recorded by its caller.
package tunnelkey

import "github.com/google/btree"

// Pool is the keys of a range and which of them are in use. The next key is the
// first free one after the last that was taken, and from the range's begin again
// after its end: a key that is freed is given out again as late as possible, since
// nodes may not have heard of its end yet. A Pool is not safe for concurrent use.
type Pool struct {
	keys Range
	next int32
	// used are the keys in use, as intervals that neither overlap nor touch.
	used *btree.BTreeG[Range]
	// count is how many of the range's keys are in use.
	count int
}

// nodes are the trees' spare nodes. All pools share them: a list for each, which is
// btree's default, would weigh more than the few ports of most networks.
var nodes = btree.NewFreeListG[Range](btree.DefaultFreeListSize)

// New returns a pool of the range with no key in use. The first key that is taken is
// from, or the one after it that is free: a program that starts again chooses it at
// random, as it does not know what was freed last.
func New(keys Range, from int32) *Pool {
	p := &Pool{keys: keys, next: keys.First, used: newUsed(byFirst)}
	if keys.has(from) {
		p.next = from
	}
	return p
}

func newUsed(order func(a, b Range) bool) *btree.BTreeG[Range] {
	const degree = 32 // about a cache line of pointers a node; not critical
	return btree.NewWithFreeListG(degree, order, nodes)
}

func byFirst(a, b Range) bool { return a.First < b.First }

// Take has the next free key be in use, and says whether there is one.
func (p *Pool) Take() (int32, bool) {
	if p.count == p.keys.Size() {
		return 0, false
	}
	key := p.free(p.next)
	if key > p.keys.Last {
		key = p.free(p.keys.First)
	}
	p.Hold(key)
	p.next = key + 1
	return key, true
}

// free is the first key from the given one on that is not in use.
func (p *Pool) free(from int32) int32 {
	if at, is := p.at(from); is {
		return at.Last + 1
	}
	return from
}

// Hold has a certain key be in use, and says whether it was not. It may lie outside
// of the range: the range may have been another when the key was taken.
func (p *Pool) Hold(key int32) bool {
	if _, is := p.at(key); is {
		return false
	}
	now := Range{key, key}
	if before, touches := p.at(key - 1); touches {
		p.used.Delete(before)
		now.First = before.First
	}
	if after, touches := p.at(key + 1); touches {
		p.used.Delete(after)
		now.Last = after.Last
	}
	p.used.ReplaceOrInsert(now)
	p.add(key, 1)
	return true
}

// Free has a key be in use no longer, and says whether it was.
func (p *Pool) Free(key int32) bool {
	was, is := p.at(key)
	if !is {
		return false
	}
	p.used.Delete(was)
	if was.First < key {
		p.used.ReplaceOrInsert(Range{was.First, key - 1})
	}
	if key < was.Last {
		p.used.ReplaceOrInsert(Range{key + 1, was.Last})
	}
	p.add(key, -1)
	return true
}

// Has says whether the key is in use.
func (p *Pool) Has(key int32) bool {
	_, is := p.at(key)
	return is
}

// Empty says whether no key is in use.
func (p *Pool) Empty() bool { return p.used.Len() == 0 }

// at is the interval of keys in use that has the key.
func (p *Pool) at(key int32) (Range, bool) {
	found, is := Range{}, false
	p.used.DescendLessOrEqual(Range{First: key}, func(r Range) bool {
		found, is = r, r.has(key)
		return false
	})
	return found, is
}

func (p *Pool) add(key int32, n int) {
	if p.keys.has(key) {
		p.count += n
	}
}
