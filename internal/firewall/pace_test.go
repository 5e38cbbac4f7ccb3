package firewall

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPace(t *testing.T) {
	cases := map[string]struct {
		reason string
		// after are the times between one try and the next.
		after, want []time.Duration
	}{
		"Once":  {"what is flushed is restored at once", []time.Duration{time.Hour}, []time.Duration{0}},
		"Fight": {"each try waits twice as long", []time.Duration{0, 0, 0, 0}, []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond}},
		"Peace": {"and the next one is at once after some peace", []time.Duration{0, 0, 2 * time.Minute}, []time.Duration{0, 10 * time.Millisecond, 0}},
		"Bound": {"no wait is longer than ten seconds", repeat(0, 14), append([]time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond, 160 * time.Millisecond,
			320 * time.Millisecond, 640 * time.Millisecond, 1280 * time.Millisecond, 2560 * time.Millisecond, 5120 * time.Millisecond}, repeat(10*time.Second, 3)...)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var p pace
			var got []time.Duration
			now := time.Unix(1, 0)
			for _, after := range tc.after {
				now = now.Add(after)
				wait := p.next(now)
				got, now = append(got, wait), now.Add(wait)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func repeat(d time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}
