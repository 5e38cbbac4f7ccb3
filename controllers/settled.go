package controllers

import (
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"

	"l2sm.io/l2sm/internal/admission"
)

// settleTime is how long a reconcile leaves the cache to catch up.
const settleTime = 10 * time.Millisecond

// settled is a reconcile's result. That the cache lags behind the API, by our
// own last write as a rule, is no error.
func settled(err error) (ctrl.Result, error) {
	if errors.Is(err, admission.ErrBehind) || apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: settleTime}, nil
	}
	return ctrl.Result{}, err
}
