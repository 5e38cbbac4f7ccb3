package controllers

import (
	"context"
	"sync/atomic"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// idleAfter is how long nothing must have been reconciled.
	idleAfter = 10 * time.Second
	// burst is how many reconciles leave garbage worth a collection: some 15 MB.
	burst = 1_000
)

// idle returns memory to the system when there is nothing to do: Go keeps what a
// burst took, half as much as is in use, until the next one.
type idle struct {
	timer *time.Timer
	done  atomic.Int64 // reconciles since memory was returned
}

// newIdle has memory returned after each burst. A start is one, also where
// another controller leads and nothing is reconciled here.
func newIdle(returnMemory func()) *idle {
	r := &idle{}
	r.done.Store(burst)
	r.timer = time.AfterFunc(idleAfter, func() {
		if r.done.Load() >= burst {
			r.done.Store(0)
			returnMemory()
		}
	})
	return r
}

// after is the reconciler, with its reconciles noted.
func (r *idle) after(next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
		defer r.note()
		return next.Reconcile(ctx, req)
	})
}

func (r *idle) note() {
	r.done.Add(1)
	r.timer.Reset(idleAfter)
}
