package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"text/tabwriter"
)

// figure is a distribution in milliseconds.
type figure struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

func summarize(values []float64) figure {
	slices.Sort(values)
	return figure{len(values), percentile(values, 50), percentile(values, 95), percentile(values, 99)}
}

// percentile is the nearest rank of sorted values.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
}

// row is one line of the report.
type row struct {
	Name string `json:"name"`
	figure
}

// report is what a run found: a table for each way of attaching.
type report struct {
	Serial      []row              `json:"serial"`
	Parallel    []row              `json:"parallel"`
	Ratios      map[string]float64 `json:"ratios"`
	AddsToReady float64            `json:"addsToPodReadyP50Ms"`
}

func (r report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, part := range []struct {
		title string
		rows  []row
	}{{"one by one", r.Serial}, {"in parallel", r.Parallel}} {
		fmt.Fprintf(w, "\n%s, ms\tn\tp50\tp95\tp99\t\n", part.title)
		for _, row := range part.rows {
			fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", row.Name, row.N, row.P50, row.P95, row.P99)
		}
	}
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(r.Ratios)) {
		fmt.Fprintf(w, "%s\t%.2f\t\n", name, r.Ratios[name])
	}
	fmt.Fprintf(w, "one network adds to pod ready, p50\t%.0f ms\t\n", r.AddsToReady)
	return w.Flush()
}

// writeJSON keeps figures in a file.
func writeJSON(file string, figures any) error {
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
