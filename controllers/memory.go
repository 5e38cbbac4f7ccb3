package controllers

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// headroom is what the heap may grow by between two garbage collections. Go
	// has it grow by a share of what is in use: little where a collection is
	// cheap, and half of the process in a large cluster.
	headroom = 20 << 20 // bytes
	// burst is how many reconciles leave garbage worth a collection: some 15 MB.
	burst = 1_000
	// idleAfter is how long nothing must have been reconciled.
	idleAfter = 10 * time.Second
)

// gcPercent is headroom in percent of what is in use, as Go has it (GOGC). Much
// in use gets more room, since a collection takes its time, too.
func gcPercent(inUse uint64) int {
	return int(min(100, max(20, headroom*100/max(1, inUse)))) //nolint:gosec // at most 100
}

// memory keeps the process small: it sets how much the heap may grow as more is
// in use, and returns memory to the system when there is nothing to do, which Go
// keeps for the next burst.
type memory struct {
	tune, release func()
	timer         *time.Timer
	done          atomic.Int64 // reconciles since memory was returned
}

// newMemory has memory returned after each burst. A start is one, also where
// another controller leads and nothing is reconciled here.
func newMemory(tune, release func()) *memory {
	m := &memory{tune: tune, release: release}
	m.done.Store(burst)
	m.timer = time.AfterFunc(idleAfter, m.idle)
	return m
}

func (m *memory) idle() {
	if m.done.Load() >= burst {
		m.done.Store(0)
		m.release()
		m.tune()
	}
}

// watch is the reconciler, with its reconciles counted.
func (m *memory) watch(next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
		defer m.note()
		return next.Reconcile(ctx, req)
	})
}

func (m *memory) note() {
	if m.done.Add(1)%burst == 1 { // the first one, when the caches are filled, too
		m.tune()
	}
	m.timer.Reset(idleAfter)
}

// tuneGC sets what gcPercent says, unless the user has set GOGC.
func tuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(inUse)
	debug.SetGCPercent(gcPercent(inUse[0].Value.Uint64()))
}
