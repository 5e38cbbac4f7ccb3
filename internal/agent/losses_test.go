package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestLosses(t *testing.T) {
	const s = time.Second
	cases := map[string]struct {
		reason string
		// after are the times from when it may be plugged in to the next loss.
		after, want []time.Duration
	}{
		"First":  {"a sandbox that was replaced gets its interface at once", []time.Duration{0}, []time.Duration{0}},
		"Loop":   {"each loss doubles the wait", []time.Duration{0, 0, 0, 0}, []time.Duration{0, s, 2 * s, 4 * s}},
		"Bound":  {"it never waits for more than a minute", make([]time.Duration, 9), []time.Duration{0, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, time.Minute, time.Minute}},
		"Slow":   {"losses every half a minute are a loop, too", []time.Duration{0, 30 * s, 30 * s}, []time.Duration{0, 0, 0}},
		"Slow2":  {"and wait longer when they become quick", []time.Duration{0, 30 * s, 0}, []time.Duration{0, 0, 2 * s}},
		"Better": {"a minute without a loss is forgotten after", []time.Duration{0, 0, 0, 2 * time.Minute, 0}, []time.Duration{0, s, 2 * s, 0, s}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var l losses
			key, now := types.NamespacedName{Name: "a"}, time.Unix(1, 0)
			var got []time.Duration
			for _, after := range tc.after {
				now = now.Add(after)
				wait := l.left(key, now)
				got, now = append(got, wait), now.Add(wait)
				l.mend(key, now)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if left := l.left(types.NamespacedName{Name: "b"}, now); left != 0 {
				t.Errorf("another attachment waits for %v", left)
			}
			l.forget(key)
			if len(l.all) > 0 {
				t.Errorf("%v are kept of an attachment that is gone", l.all)
			}
		})
	}
}
