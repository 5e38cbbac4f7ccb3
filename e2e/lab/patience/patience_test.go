package patience_test

import (
	"testing"
	"time"

	"l2sm.io/l2sm/e2e/lab/patience"
)

func TestTimeout(t *testing.T) {
	for variable, want := range map[string]string{"": "--timeout=1m0s", "20": "--timeout=20m0s", "0": "--timeout=1m0s", "long": "--timeout=1m0s"} {
		t.Setenv("L2SM_LAB_PATIENCE", variable)
		if got := patience.Timeout(time.Minute); got != want {
			t.Errorf("with %q a minute is %s, want %s", variable, got, want)
		}
	}
}
