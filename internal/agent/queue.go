package agent

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"
)

// What failed is tried again, first soon and at last every few seconds: what
// the node waits for is mostly a program that starts.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// loop reconciles keys: each by one worker at a time, again when it is added
// meanwhile, and with a back-off when it failed.
type loop[K comparable] struct {
	log   logr.Logger
	queue workqueue.TypedRateLimitingInterface[K]
	// reconcile may ask to be called again after a while; zero does not.
	reconcile func(context.Context, K) (again time.Duration, err error)
}

// newLoop makes a queue without a name, which keeps no metrics: for them it
// would wake up twice a second.
func newLoop[K comparable](log logr.Logger, reconcile func(context.Context, K) (time.Duration, error)) *loop[K] {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[K](firstRetry, lastRetry)
	return &loop[K]{log: log, queue: workqueue.NewTypedRateLimitingQueue(limiter), reconcile: reconcile}
}

// add never blocks.
func (l *loop[K]) add(key K) { l.queue.Add(key) }

// run works with that many workers until ctx ends.
func (l *loop[K]) run(ctx context.Context, workers int) {
	stop := context.AfterFunc(ctx, l.queue.ShutDown)
	defer stop()
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for l.one(ctx) {
			}
		})
	}
	all.Wait()
}

// one works on one key, and says whether there may be others.
func (l *loop[K]) one(ctx context.Context) bool {
	key, down := l.queue.Get()
	if down {
		return false
	}
	defer l.queue.Done(key)
	log := l.log.WithValues("key", key)
	again, err := l.safely(logr.NewContext(ctx, log), key)
	if err != nil {
		log.Info("Reconciler error", "error", err.Error())
		l.queue.AddRateLimited(key)
		return true
	}
	l.queue.Forget(key)
	if again > 0 {
		l.queue.AddAfter(key, again)
	}
	return true
}

// safely makes an error of a panic: one key may not take the others' agent away.
func (l *loop[K]) safely(ctx context.Context, key K) (again time.Duration, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return l.reconcile(ctx, key)
}

// eachSession calls f whenever there is a new connection to OVS' database,
// which may be another one than before, until ctx ends.
func (a *Agent) eachSession(ctx context.Context, f func(context.Context)) {
	seen := int64(0)
	for {
		changed := a.ovs.Changed()
		if n := a.ovs.Sessions(); n != seen {
			seen = n
			f(ctx)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
