package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/ovn"
)

func TestSettled(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "net", errors.New("changed"))
	cases := map[string]struct {
		reason       string
		err          error
		again, fails bool
	}{
		"Good":     {"nothing is left to do", nil, false, false},
		"Settling": {"the cache lags: look again soon, and complain of nothing", fmt.Errorf("grant: %w", admission.ErrBehind), true, false},
		"Conflict": {"so it does when our own last write conflicts", fmt.Errorf("patch: %w", conflict), true, false},
		"Bad":      {"all else is an error", errors.New("boom"), false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result, err := (&settling{}).result(ctrl.Request{}, tc.err)
			if (result.RequeueAfter > 0) != tc.again || (err != nil) != tc.fails {
				t.Errorf("%s: got %v, %v", tc.reason, result, err)
			}
		})
	}
}

func TestSettling(t *testing.T) {
	request := func(name string) ctrl.Request {
		return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "default", Name: name}}
	}
	s := &settling{}
	wait := func(name string, err error) time.Duration {
		t.Helper()
		result, got := s.result(request(name), err)
		if got != nil {
			t.Fatal(got)
		}
		return result.RequeueAfter
	}
	settles := fmt.Errorf("create: %w", admission.ErrBehind)
	last := wait("p", settles)
	if last != settleTime {
		t.Errorf("the cache has %s to catch up at first, want %s", last, settleTime)
	}
	for range 20 {
		next := wait("p", settles)
		if next < last || next > maxBackoff {
			t.Errorf("after a wait of %s one of %s, want more, and %s at most", last, next, maxBackoff)
		}
		last = next
	}
	if last != maxBackoff {
		t.Errorf("the last wait is %s, want %s", last, maxBackoff)
	}
	if got := wait("q", settles); got != settleTime {
		t.Errorf("another object waits %s for it, want %s", got, settleTime)
	}
	wait("p", nil)
	if got := s.limiter.NumRequeues(request("p")); got != 0 {
		t.Errorf("after a success %d waits are remembered", got)
	}
	if _, err := s.result(request("p"), errors.New("boom")); err == nil {
		t.Error("an error that nobody waits for is swallowed")
	}
}

func TestRetried(t *testing.T) {
	if retried(fmt.Errorf("apply: %w", ovn.ErrNotConnected)) != nil {
		t.Error("the connection's return brings the network back, a retry does not")
	}
	if retried(errors.New("boom")) == nil {
		t.Error("an error that a retry may mend is swallowed")
	}
}
