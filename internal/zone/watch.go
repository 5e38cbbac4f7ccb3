package zone

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
)

// watch is the caches of a network that has a member on the node.
type watch struct {
	cache *kube.Network
	full  atomic.Bool
	end   context.CancelFunc
	ended chan struct{}
	// written is the network as it was written last: of the one goroutine that
	// writes.
	written *v1alpha1.L2Network
}

// filled says whether the caches hold all there is.
func (w *watch) filled() bool { return w.full.Load() }

// restated says whether what all ports follow is other than it was written last.
func (w *watch) restated(network *v1alpha1.L2Network) bool {
	return w.written == nil || w.written.UID != network.UID || w.written.Status.TunnelKey != network.Status.TunnelKey ||
		!reflect.DeepEqual(w.written.Spec, network.Spec)
}

// turned says whether the network goes on by another edge than when it was written last.
func (w *watch) turned(network *v1alpha1.L2Network) bool {
	return w.written == nil || wayOf(w.written) != wayOf(network)
}

// way is where a network goes on, as far as ports follow it.
type way struct {
	node string
	key  int32
}

// wayOf is zero for a network that goes on nowhere.
func wayOf(network *v1alpha1.L2Network) way {
	if s := network.Status.Stretch; s.Goes() {
		return way{s.Chassis, s.TunnelKey}
	}
	return way{}
}

// state notes the network as it is written now.
func (w *watch) state(network *v1alpha1.L2Network) { w.written = network }

// watch returns the caches of a network, and starts them if need be.
func (w *Writer) watch(ctx context.Context, key types.NamespacedName) (*watch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if have := w.watches[key]; have != nil {
		return have, nil
	}
	cache, err := w.config.API.Network(key)
	if err != nil {
		return nil, err
	}
	from := source{key}
	err = errors.Join(
		cache.OnNetwork(func(_, _ *v1alpha1.L2Network) { w.wake(key) }),
		cache.OnAttachment(func(before, after *v1alpha1.L2Attachment) { w.changed(from, before, after) }),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	started := &watch{cache: cache, end: cancel, ended: make(chan struct{})}
	w.watches[key] = started
	go func() {
		defer close(started.ended)
		cache.Run(ctx, func() {
			for _, a := range cache.Attachments() { // events may be behind the cache
				w.table.see(from, a)
			}
			started.full.Store(true)
			w.wake(key)
		})
	}()
	return started, nil
}

// stop ends the caches of a network, and forgets what they told.
func (w *Writer) stop(key types.NamespacedName) {
	w.mu.Lock()
	had := w.watches[key]
	delete(w.watches, key)
	w.mu.Unlock()
	if had == nil {
		return
	}
	had.end()
	<-had.ended
	w.wake(w.table.forget(key)...)
}

func (w *Writer) stopAll() {
	w.mu.Lock()
	var keys []types.NamespacedName
	for key := range w.watches {
		keys = append(keys, key)
	}
	w.mu.Unlock()
	for _, key := range keys {
		w.stop(key)
	}
}
