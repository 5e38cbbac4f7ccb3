package controllers

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
			result, err := settled(tc.err)
			if (result.RequeueAfter > 0) != tc.again || (err != nil) != tc.fails {
				t.Errorf("%s: got %v, %v", tc.reason, result, err)
			}
		})
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
