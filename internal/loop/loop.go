// Package loop works on keys that events name.
package loop

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

// Loop reconciles keys: each by one worker at a time, again when it is added
// meanwhile, and with a back-off when it failed.
type Loop[K comparable] struct {
	Log logr.Logger
	// Queue has the keys that wait.
	Queue workqueue.TypedRateLimitingInterface[K]
	// reconcile may ask to be called again after a while; zero does not.
	reconcile func(context.Context, K) (again time.Duration, err error)
}

// New makes a queue without a name, which keeps no metrics: for them it
// would wake up twice a second.
func New[K comparable](log logr.Logger, reconcile func(context.Context, K) (time.Duration, error)) *Loop[K] {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[K](firstRetry, lastRetry)
	return &Loop[K]{Log: log, Queue: workqueue.NewTypedRateLimitingQueue(limiter), reconcile: reconcile}
}

// Add never blocks.
func (l *Loop[K]) Add(key K) { l.Queue.Add(key) }

// Run works with that many workers until ctx ends.
func (l *Loop[K]) Run(ctx context.Context, workers int) {
	stop := context.AfterFunc(ctx, l.Queue.ShutDown)
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
func (l *Loop[K]) one(ctx context.Context) bool {
	key, down := l.Queue.Get()
	if down {
		return false
	}
	defer l.Queue.Done(key)
	log := l.Log.WithValues("key", key)
	again, err := l.safely(logr.NewContext(ctx, log), key)
	if err != nil {
		log.Info("Reconciler error", "error", err.Error())
		l.Queue.AddRateLimited(key)
		return true
	}
	l.Queue.Forget(key)
	if again > 0 {
		l.Queue.AddAfter(key, again)
	}
	return true
}

// safely makes an error of a panic: one key may not take the others' agent away.
func (l *Loop[K]) safely(ctx context.Context, key K) (again time.Duration, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return l.reconcile(ctx, key)
}
