package controllers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestIdleReturnsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		returned := 0
		r := newIdle(func() { returned++ })
		nothing := reconcile.Func(func(context.Context, ctrl.Request) (ctrl.Result, error) { return ctrl.Result{}, nil })
		reconciler := r.after(nothing)
		work := func(reconciles int) {
			for range reconciles {
				if _, err := reconciler.Reconcile(t.Context(), ctrl.Request{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		expect := func(reason string, want int) {
			t.Helper()
			synctest.Wait()
			if returned != want {
				t.Errorf("%s: memory was returned %d times, want %d", reason, returned, want)
			}
		}
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}

		pass(idleAfter)
		expect("a start takes memory", 1)
		work(burst - 1)
		pass(2 * idleAfter)
		expect("little work is not worth it", 1)
		work(burst)
		pass(idleAfter - time.Second)
		work(1)
		pass(idleAfter - time.Second)
		expect("it still works", 1)
		pass(time.Second)
		expect("the burst is over", 2)
		pass(time.Hour)
		expect("nothing was done since", 2)
	})
}
