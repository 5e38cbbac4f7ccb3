// Package wake lets goroutines sleep until something changes.
package wake

import "sync"

// Signal wakes everybody who waits. Its zero value is ready for use.
//
//	for {
//		changed := signal.Next()
//		if look() {
//			return
//		}
//		<-changed
//	}
type Signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// Next returns a channel that the next Raise closes. Taken before a look, it
// misses nothing that changes after it.
func (s *Signal) Next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

// Raise wakes everybody who waits.
func (s *Signal) Raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
