package zone

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/ovn"
)

// filling knows which networks have yet to be written to the database that was
// connected to last. Before the first connection, and until a round is over,
// nothing is removed.
type filling struct {
	mu      sync.Mutex
	round   int
	over    bool
	pending map[types.NamespacedName]bool
	written map[types.NamespacedName]bool
	// removals wait for the round to be over.
	removals map[types.NamespacedName]bool
}

// begin starts over with all networks that have a member.
func (f *filling) begin(networks []types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.round++
	f.over = false
	f.pending, f.written = map[types.NamespacedName]bool{}, map[types.NamespacedName]bool{}
	for _, key := range networks {
		f.pending[key] = true
	}
}

// settle notes that the database holds a network, or that it cannot now.
func (f *filling) settle(network types.NamespacedName, written bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.round == 0 {
		return
	}
	delete(f.pending, network)
	delete(f.written, network)
	if written {
		f.written[network] = true
	}
}

// filled returns what was written since the round began, when nothing is pending
// and the round is not over.
func (f *filling) filled() (written []ovn.Key, round int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.round == 0 || len(f.pending) > 0 {
		return nil, 0, false
	}
	for key := range f.written {
		written = append(written, ovn.Key(key))
	}
	return written, f.round, true
}

// end says that a round is over, and returns the networks to be removed.
func (f *filling) end(round int) []types.NamespacedName {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.round != round {
		return nil
	}
	removals := slices.Collect(maps.Keys(f.removals))
	f.over, f.pending, f.written, f.removals = true, nil, nil, nil
	return removals
}

// later says whether a network's removal has to wait, and notes it. One without a
// member is not waited for.
func (f *filling) later(network types.NamespacedName) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return false
	}
	delete(f.pending, network)
	delete(f.written, network)
	if f.removals == nil {
		f.removals = map[types.NamespacedName]bool{}
	}
	f.removals[network] = true
	return true
}

// done says whether a round is over.
func (f *filling) done() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}
