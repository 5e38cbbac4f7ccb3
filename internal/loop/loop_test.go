package loop

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// A key that fails, or panics, is tried again, and no other waits for it.
func TestLoopTriesAgain(t *testing.T) {
	cases := map[string]struct {
		reason string
		first  func() (time.Duration, error)
	}{
		"Error": {"what failed may succeed later", func() (time.Duration, error) { return 0, errors.New("not yet") }},
		"Panic": {"a fault in one object's work stops no other's", func() (time.Duration, error) { panic("index out of range") }},
		"Again": {"it asked to be called again", func() (time.Duration, error) { return time.Millisecond, nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			done := make(chan string, 10)
			calls := 0
			l := New(logr.Discard(), func(_ context.Context, key string) (time.Duration, error) {
				if key == "faulty" {
					if calls++; calls == 1 {
						return tc.first()
					}
				}
				done <- key
				return 0, nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			l.Add("faulty")
			l.Add("other")
			go func() {
				l.Run(ctx, 1)
				close(ended)
			}()
			got := map[string]bool{<-done: true, <-done: true}
			if !got["faulty"] || !got["other"] || calls != 2 {
				t.Errorf("%s: done are %v after %d calls", tc.reason, got, calls)
			}
			cancel()
			<-ended
		})
	}
}
