package agent

import (
	"context"
	"sync"
)

// locks is one lock per key. Its zero value is ready for use.
type locks struct {
	mu   sync.Mutex
	held map[string]*heldLock
}

type heldLock struct {
	// token is full while the lock is free.
	token chan struct{}
	users int
}

// acquire returns when the caller holds the key's lock, with what gives it
// back, or when ctx ends.
func (l *locks) acquire(ctx context.Context, key string) (func(), error) {
	h := l.join(key)
	select {
	case <-h.token:
		return func() {
			h.token <- struct{}{}
			l.leave(key, h)
		}, nil
	case <-ctx.Done():
		l.leave(key, h)
		return nil, context.Cause(ctx)
	}
}

func (l *locks) join(key string) *heldLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*heldLock{}
	}
	h := l.held[key]
	if h == nil {
		h = &heldLock{token: make(chan struct{}, 1)}
		h.token <- struct{}{}
		l.held[key] = h
	}
	h.users++
	return h
}

func (l *locks) leave(key string, h *heldLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.users--
	if h.users == 0 {
		delete(l.held, key)
	}
}
