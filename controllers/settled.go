package controllers

import (
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"l2sm.io/l2sm/internal/admission"
)

// settleTime is how long a reconcile leaves the cache to catch up, at first.
const settleTime = 10 * time.Millisecond

// settling is how a controller's reconciles wait for what is not theirs to
// mend: a cache that lags behind the API, by our own last write as a rule, or an
// API that refuses a write. Each object waits for itself, twice as long each
// time, from settleTime to maxBackoff. The zero value is ready for use.
type settling struct {
	once    sync.Once
	limiter workqueue.TypedRateLimiter[ctrl.Request]
}

// result is a reconcile's. Success forgets how often the object has waited, and
// must be said of one that is gone, too.
func (s *settling) result(req ctrl.Request, err error) (ctrl.Result, error) {
	s.once.Do(func() {
		s.limiter = workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](settleTime, maxBackoff)
	})
	switch {
	case err == nil:
		s.limiter.Forget(req)
		return ctrl.Result{}, nil
	case errors.Is(err, admission.ErrBehind) || apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: s.limiter.When(req)}, nil
	default:
		return ctrl.Result{}, err // the controller's own limiter has it wait
	}
}
