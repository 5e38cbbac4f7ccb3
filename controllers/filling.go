package controllers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/ovn"
)

// filling knows which of the API's networks have yet to be written to the
// database that was connected to last: it may have started empty. There is
// nothing to know before the first connection, nor when a round is over.
type filling struct {
	mu      sync.Mutex
	round   int
	pending map[types.NamespacedName]bool // nil between rounds
	written map[types.NamespacedName]bool
}

// begin starts over with all networks that there are.
func (f *filling) begin(networks []types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.round++
	f.pending, f.written = map[types.NamespacedName]bool{}, map[types.NamespacedName]bool{}
	for _, key := range networks {
		f.pending[key] = true
	}
}

// settle notes that the database holds a network, or that it must not or
// cannot: one network that is refused must not keep the others from the nodes.
func (f *filling) settle(network types.NamespacedName, written bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending == nil {
		return
	}
	delete(f.pending, network)
	delete(f.written, network)
	if written {
		f.written[network] = true
	}
}

// filled returns what was written since the round began, when nothing is
// pending and the round is not over.
func (f *filling) filled() (written []ovn.Key, round int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending == nil || len(f.pending) > 0 {
		return nil, 0, false
	}
	for key := range f.written {
		written = append(written, ovn.Key(key))
	}
	return written, f.round, true
}

// end says that a round is over.
func (f *filling) end(round int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.round == round {
		f.pending, f.written = nil, nil
	}
}

// complete marks the database once every network was written to it: only then
// do nodes follow a database that was empty.
func (r *L2NetworkReconciler) complete(ctx context.Context) error {
	written, round, ok := r.filling.filled()
	if !ok || !r.Northbound.Connected() {
		return nil // a connection begins a new round
	}
	complete, err := r.Northbound.Complete(ctx, written)
	if err != nil {
		return retried(err)
	}
	// What was written went to a database that was emptied again: its networks
	// come here once more.
	if complete {
		r.filling.end(round)
		log.FromContext(ctx).Info("Northbound database holds every network", "networks", len(written))
	}
	return nil
}
