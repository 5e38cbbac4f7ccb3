//go:build integration

package nstest_test

import (
	"fmt"
	"os"
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// Nothing of the test's own process stays in a namespace that it made: with it
// the namespace would outlive its removal. The main thread is the one that
// cannot end.
func TestNewNSLeavesNoThreadBehind(t *testing.T) {
	mainThread := fmt.Sprintf("/proc/%d/ns/net", os.Getpid())
	home, err := os.Readlink(mainThread)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		nstest.NewNS(t)
		if now, err := os.Readlink(mainThread); err != nil || now != home {
			t.Fatalf("the main thread is in %s (error %v), want it in %s", now, err, home)
		}
	}
}
