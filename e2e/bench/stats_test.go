package main

import (
	"strings"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var values []float64
	for i := 1; i <= 100; i++ {
		values = append(values, float64(i))
	}
	for p, want := range map[float64]float64{50: 50, 95: 95, 99: 99, 100: 100, 0: 1} {
		if got := percentile(values, p); got != want {
			t.Errorf("p%v of 1..100 is %v, want %v", p, got, want)
		}
	}
	if got := percentile([]float64{7}, 99); got != 7 {
		t.Errorf("p99 of one value is %v", got)
	}
}

func TestTimelineFromLogs(t *testing.T) {
	log := `not json
{"ts":"2026-01-02T03:04:05.100000Z","msg":"Attachment written","Pod":{"namespace":"bench","name":"on-7"},"attachment":"bench/on-7-net1-4f2a9c1e"}
{"ts":"2026-01-02T03:04:05.110000Z","msg":"Northbound committed","added":["l2sm/bench/on-7-net1-4f2a9c1e"]}
{"ts":"2026-01-02T03:04:05.400000Z","msg":"Interfaces added","Pod":"bench/on-7","entered":"2026-01-02T03:04:05.300000Z","plugged":"2026-01-02T03:04:05.310000Z","installed":"2026-01-02T03:04:05.330000Z","returned":"2026-01-02T03:04:05.340000Z"}
`
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	line := &timeline{created: at, scheduled: at.Add(50 * time.Millisecond), ready: at.Add(time.Second)}
	elsewhere := `{"ts":"2026-01-02T03:04:05.190000Z","msg":"Northbound committed","added":["l2sm/bench/on-7-net1-4f2a9c1e"]}`
	for _, log := range []string{elsewhere, log, elsewhere} { // on zones other nodes write the port, too
		if err := add(map[string]*timeline{"on-7": line}, strings.NewReader(log)); err != nil {
			t.Fatal(err)
		}
	}
	if !line.complete() {
		t.Fatalf("stages are missing: %+v", line)
	}
	want := []time.Duration{50, 10, 190, 10, 20, 10, 40, 1000}
	for i, s := range stages {
		if got := s.took(line); got != want[i]*time.Millisecond {
			t.Errorf("%s: %v, want %v ms", s.name, got, int64(want[i]))
		}
	}
}
