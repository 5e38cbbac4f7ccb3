package agent

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestLocks(t *testing.T) {
	var l locks
	unlock, err := l.acquire(t.Context(), "pod-a")
	if err != nil {
		t.Fatal(err)
	}
	unlockOther, err := l.acquire(t.Context(), "pod-b")
	if err != nil {
		t.Fatalf("another pod's lock must not wait: %v", err)
	}
	unlockOther()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.acquire(ctx, "pod-a"); !errors.Is(err, context.Canceled) {
		t.Errorf("acquire of a held lock with a caller who gave up = %v, want context.Canceled", err)
	}

	var next sync.WaitGroup
	inside := 0
	for range 20 {
		next.Go(func() {
			unlock, err := l.acquire(t.Context(), "pod-a")
			if err != nil {
				t.Error(err)
				return
			}
			inside++ // the race detector sees two holders
			unlock()
		})
	}
	unlock()
	next.Wait()
	if inside != 20 {
		t.Errorf("%d of 20 got the lock", inside)
	}
	if len(l.held) > 0 {
		t.Errorf("locks that are not in use are kept: %v", l.held)
	}
}
