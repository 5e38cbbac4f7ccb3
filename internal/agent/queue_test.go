package agent

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
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
			l := newLoop(logr.Discard(), func(_ context.Context, key string) (time.Duration, error) {
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
			l.add("faulty")
			l.add("other")
			go func() {
				l.run(ctx, 1)
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

// An agent that starts again complains of the same in the same event.
func TestNodeEventHasOneName(t *testing.T) {
	now := time.Now()
	about := v1alpha1.UnderlayMTUEvent("eth1", 1400, 1500)
	first, again := nodeEvent("node-a", about, now), nodeEvent("node-a", about, now.Add(time.Hour))
	if first.Name != again.Name {
		t.Errorf("the same complaint has the names %q and %q", first.Name, again.Name)
	}
	for _, other := range []string{nodeEvent("node-b", about, now).Name, nodeEvent("node-a", v1alpha1.UnderlayMTUEvent("eth1", 1300, 1500), now).Name} {
		if other == first.Name {
			t.Errorf("another complaint has the name %q, too", other)
		}
	}
}

func TestRetried(t *testing.T) {
	passing := errors.New("no space left on device")
	_, badName := newWire(sandbox("c1", "net1"), attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "all" }))
	held := plan{taken: []ovs.Port{{Interface: "net1"}}}.conflict()
	cases := map[string]struct {
		reason    string
		err, want error
	}{
		"Passing": {"it may pass by itself", passing, passing},
		"Taken":   {"the pod has to free the name", errTaken, nil},
		"Held":    {"the holder's port wakes the attachment", held, nil},
		"BadName": {"no kernel will have it", badName, nil},
		"None":    {"all went well", nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if (tc.err == nil) != (name == "None") {
				t.Fatalf("%s: the error is %v", tc.reason, tc.err)
			}
			if got := retried(tc.err); !errors.Is(got, tc.want) || (got == nil) != (tc.want == nil) {
				t.Errorf("%s: retried(%v) = %v, want %v", tc.reason, tc.err, got, tc.want)
			}
		})
	}
}
