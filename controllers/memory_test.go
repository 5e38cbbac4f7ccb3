package controllers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestGCPercent(t *testing.T) {
	cases := map[string]struct {
		reason string
		inUse  uint64
		want   int
	}{
		"Nothing": {"before the first collection", 0, 100},
		"Small":   {"Go's own default, where a collection is cheap", 12 << 20, 100},
		"Middle":  {"it grows by 20 MiB", 40 << 20, 50},
		"Large":   {"it grows by 20 MiB", 80 << 20, 25},
		"Huge":    {"it is not collected all the time", 1 << 30, 20},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := gcPercent(tc.inUse); got != tc.want {
				t.Errorf("%s: with %d bytes in use GOGC is %d, want %d", tc.reason, tc.inUse, got, tc.want)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tuned, released := 0, 0
		m := newMemory(func() { tuned++ }, func() { released++ })
		reconciler := m.watch(reconcile.Func(func(context.Context, ctrl.Request) (ctrl.Result, error) { return ctrl.Result{}, nil }))
		work := func(reconciles int) {
			for range reconciles {
				if _, err := reconciler.Reconcile(t.Context(), ctrl.Request{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		expect := func(reason string, wantReleased, wantTuned int) {
			t.Helper()
			if released != wantReleased || tuned != wantTuned {
				t.Errorf("%s: released %d times and tuned %d times, want %d and %d", reason, released, tuned, wantReleased, wantTuned)
			}
		}

		work(1)
		expect("the caches are filled", 0, 1)
		pass(idleAfter)
		expect("a start takes memory", 1, 2)
		work(burst)
		expect("it begins again", 1, 3)
		work(1)
		expect("there may be more in use by now", 1, 4)
		pass(idleAfter - time.Second)
		work(1)
		pass(idleAfter - time.Second)
		expect("it still works", 1, 4)
		pass(time.Second)
		expect("the burst is over", 2, 5)
		work(burst - 1)
		pass(2 * idleAfter)
		expect("little work is not worth it", 2, 6)
		pass(time.Hour)
		expect("nothing was done since", 2, 6)
	})
}
