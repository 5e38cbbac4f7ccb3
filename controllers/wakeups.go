package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// wakeups lets one reconciler have another look at its keys, after something
// that no watch shows: a commit, a freed address. It is a source.Source; keys
// that come before its controller has started wait for it.
type wakeups struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
	early []ctrl.Request
}

// Start is called by the controller.
func (w *wakeups) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	for _, request := range w.early {
		queue.Add(request)
	}
	w.early = nil
	return nil
}

// wakeLater is wake after a while: what happens to a key meanwhile is one
// reconcile.
func (w *wakeups) wakeLater(while time.Duration, keys ...types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		request := ctrl.Request{NamespacedName: key}
		if w.queue == nil {
			w.early = append(w.early, request)
			continue
		}
		w.queue.AddAfter(request, while)
	}
}

// wake has the keys reconciled. It never blocks.
func (w *wakeups) wake(keys ...types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		request := ctrl.Request{NamespacedName: key}
		if w.queue == nil {
			w.early = append(w.early, request)
			continue
		}
		w.queue.Add(request)
	}
}
