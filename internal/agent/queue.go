package agent

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// What failed is tried again, first soon and at last every few seconds: what
// the node waits for is mostly a program that starts.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// newQueue returns a queue without a name, which keeps no metrics: for them it
// would wake up twice a second. It is no priority queue either: that of
// controller-runtime 0.24 may hang when it is shut down.
func newQueue(_ string, limiter workqueue.TypedRateLimiter[ctrl.Request]) workqueue.TypedRateLimitingInterface[ctrl.Request] {
	return workqueue.NewTypedRateLimitingQueue(limiter)
}

func newLimiter() workqueue.TypedRateLimiter[ctrl.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](firstRetry, lastRetry)
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
