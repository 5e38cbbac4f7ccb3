package agent

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// An interface that is lost is plugged in again at once the first time, and then
// after waits that double: a pod may delete its own in a loop, and each one costs
// writes to the API. A minute without a loss is forgotten after.
const (
	firstLoss = time.Second
	lastLoss  = time.Minute
	calm      = time.Minute
)

// losses are the attachments whose interfaces were lost lately. Its zero value is
// empty and ready for use.
type losses struct {
	mu  sync.Mutex
	all map[types.NamespacedName]loss
}

// loss says when the interface may be plugged in again, and how long the wait was.
type loss struct {
	until time.Time
	wait  time.Duration
}

// next is the state after another loss. It is pure.
func (l loss) next(now time.Time) loss {
	if l.wait == 0 || now.Sub(l.until) > calm {
		return loss{now.Add(firstLoss), firstLoss}
	}
	wait := min(2*l.wait, lastLoss)
	return loss{now.Add(wait), wait}
}

// left is how long the attachment has to wait.
func (l *losses) left(key types.NamespacedName, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.all[key].until.Sub(now))
}

// known says whether the attachment has lost its interface before.
func (l *losses) known(key types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.all[key]
	return known
}

// mend notes that a lost interface is plugged in again.
func (l *losses) mend(key types.NamespacedName, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[types.NamespacedName]loss{}
	}
	l.all[key] = l.all[key].next(now)
}

func (l *losses) forget(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, key)
}
