package controllers

import (
	"testing"

	"l2sm.io/l2sm/internal/admission"
)

// expectReason checks a decision: the empty reason is yes.
func expectReason(t *testing.T, why, want string, err error) {
	t.Helper()
	refused, ok := admission.AsRefusal(err)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: refused with %v", why, err)
	case want != "" && !ok:
		t.Errorf("%s: got %v, want a refusal %s", why, err, want)
	case want != "" && refused.Reason != want:
		t.Errorf("%s: refused with %s, want %s", why, refused.Reason, want)
	}
}
