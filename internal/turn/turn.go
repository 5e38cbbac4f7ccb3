// Package turn has one goroutine at a time work on one key, of any number of
// keys, in constant memory.
package turn

import (
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Turns are locks that keys share whose hashes are equal. A goroutine takes one
// turn at a time: a second one may be its own.
type Turns struct {
	locks [256]sync.Mutex
	seed  maphash.Seed
}

// New returns turns that are all free.
func New() *Turns { return &Turns{seed: maphash.MakeSeed()} }

// Take waits until the key is free, and has it until done is called.
func (t *Turns) Take(key types.NamespacedName) (done func()) {
	lock := t.lock(key)
	lock.Lock()
	return lock.Unlock
}

func (t *Turns) lock(key types.NamespacedName) *sync.Mutex {
	return &t.locks[maphash.Comparable(t.seed, key)%uint64(len(t.locks))]
}
