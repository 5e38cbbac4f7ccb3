package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReportFailures(t *testing.T) {
	cases := map[string]struct {
		reason string
		goal   *goal
		values map[int]float64
		notes  map[int]string
		want   []string
	}{
		"Met":            {reason: "nothing is wrong", goal: mustBeNone(), values: map[int]float64{100: 0, 1000: 0}},
		"CountMissed":    {reason: "a count doesn't depend on the machine", goal: mustBeNone(), values: map[int]float64{100: 0, 1000: 3}, want: []string{"idle, N=1000: transactions is 3.00"}},
		"TimeMissed":     {reason: "a time does: it is only shown", goal: atMost(10), values: map[int]float64{100: 1, 1000: 48}},
		"RatioMissed":    {reason: "so does a ratio", goal: ratioAtMost(1.5), values: map[int]float64{100: 1, 1000: 2}},
		"NotMeasured":    {reason: "a part that failed must not pass for one that was left out", values: map[int]float64{100: 1}, notes: map[int]string{1000: "the controller has ended"}, want: []string{"idle, N=1000: the controller has ended"}},
		"NothingThereAt": {reason: "a size that was not measured misses nothing", goal: mustBeNone(), values: map[int]float64{100: 0}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &report{sizes: []int{100, 1000}}
			l := r.line("idle", "transactions", "", tc.goal)
			l.values = tc.values
			if tc.notes != nil {
				l.notes = tc.notes
			}
			if diff := cmp.Diff(tc.want, r.failures()); diff != "" {
				t.Errorf("%s: failures: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestReportPrint(t *testing.T) {
	r := &report{sizes: []int{100, 1000}}
	attach := r.line("attach", "p50", "ms", ratioAtMost(1.5))
	attach.values = map[int]float64{100: 10, 1000: 20}
	r.line("attach", "transactions", "", nil).values = map[int]float64{100: 0, 1000: 0}
	r.line("start", "ready", "s", nil).notes = map[int]string{1000: "it has ended"}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for text := range strings.Lines(out.String()) {
		if f := strings.Fields(text); len(f) > 0 {
			got = append(got, strings.Join(f, " "))
		}
	}
	want := []string{
		"attach unit N=100 N=1000 ratio goal",
		"p50 ms 10.0 20.0 2.00 ratio <= 1.50, missed at N=1000",
		"transactions 0 0 -",
		"start unit N=100 N=1000 ratio goal",
		"ready s - FAILED -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table: -want, +got:\n%s", diff)
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for p, want := range map[float64]float64{50: 3, 99: 5, 20: 1, 0: 1} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %v of 1 to 5 is %v, want %v", p, got, want)
		}
	}
	if got := percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("percentile of nothing is %v, want no number", got)
	}
}
