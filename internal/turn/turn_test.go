package turn

import (
	"fmt"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func name(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "ns", Name: fmt.Sprint(i)}
}

// One at a time has a key: a counter that is no atomic one counts them all.
func TestOneAtATime(t *testing.T) {
	turns := New()
	const workers, rounds, keys = 8, 500, 3
	var counts [keys]int
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := range rounds * keys {
				done := turns.Take(name(i % keys))
				counts[i%keys]++
				done()
			}
		})
	}
	all.Wait()
	for i, n := range counts {
		if n != workers*rounds {
			t.Errorf("key %d was had %d times, want %d", i, n, workers*rounds)
		}
	}
}

// Other keys are free while one is taken, but for the few that share its lock.
func TestOthersAreFree(t *testing.T) {
	turns := New()
	defer turns.Take(name(0))()
	free := 0
	for i := range turns.locks {
		if turns.locks[i].TryLock() {
			free++
			turns.locks[i].Unlock()
		}
	}
	if free != len(turns.locks)-1 {
		t.Errorf("%d of %d locks are free while one key is taken", free, len(turns.locks))
	}
	used := map[*sync.Mutex]bool{}
	for i := 1; i < 2_000; i++ {
		used[turns.lock(name(i))] = true
	}
	if len(used) < len(turns.locks)*9/10 {
		t.Errorf("2,000 keys have %d locks of %d", len(used), len(turns.locks))
	}
}

// A key's turn is had again once it is done.
func TestTakeAgain(t *testing.T) {
	turns := New()
	for range 3 {
		turns.Take(name(1))()
	}
	if lock := turns.lock(name(1)); !lock.TryLock() {
		t.Error("a key that is done with is still taken")
	}
}
