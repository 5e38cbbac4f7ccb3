package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// goal is the most that a figure, or its ratio to the first size, may be.
type goal struct {
	most  float64
	ratio bool // the ratio is meant
	fails bool // a figure above it fails the run: it counts, and doesn't depend on the machine
}

func atMost(most float64) *goal      { return &goal{most: most} }
func ratioAtMost(most float64) *goal { return &goal{most: most, ratio: true} }
func mustBeNone() *goal              { return &goal{fails: true} }

// line is one figure at every size.
type line struct {
	part, name, unit string
	goal             *goal
	values           map[int]float64
	notes            map[int]string // where there is no figure: why
}

// report is what a run found.
type report struct {
	sizes   []int
	columns map[int]string // heads of columns that are not sizes
	lines   []*line
}

func (r *report) column(size int) string {
	if name, ok := r.columns[size]; ok {
		return name
	}
	return "N=" + strconv.Itoa(size)
}

// line finds the line of that name, or adds it.
func (r *report) line(part, name, unit string, g *goal) *line {
	for _, l := range r.lines {
		if l.part == part && l.name == name {
			return l
		}
	}
	l := &line{part: part, name: name, unit: unit, goal: g, values: map[int]float64{}, notes: map[int]string{}}
	r.lines = append(r.lines, l)
	return l
}

// ratio is the value at a size, against that at the first.
func (l *line) ratio(sizes []int, size int) float64 { return l.values[size] / l.values[sizes[0]] }

// missed tells whether the goal is missed at a size.
func (l *line) missed(sizes []int, size int) bool {
	v, ok := l.values[size]
	if l.goal == nil || !ok {
		return false
	}
	if l.goal.ratio {
		v = l.ratio(sizes, size)
	}
	return v > l.goal.most
}

// failures are the lines whose counts must not be what they are, and those that have none since something failed.
func (r *report) failures() []string {
	var all []string
	for _, l := range r.lines {
		for _, size := range r.sizes {
			if note := l.notes[size]; note != "" {
				all = append(all, fmt.Sprintf("%s, %s: %s", l.part, r.column(size), note))
			}
			if l.goal != nil && l.goal.fails && l.missed(r.sizes, size) {
				all = append(all, fmt.Sprintf("%s, %s: %s is %s", l.part, r.column(size), l.name, number(l.values[size])))
			}
		}
	}
	return all
}

// print writes a table for each part, with a column for each size.
func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	part := ""
	for _, l := range r.lines {
		if l.part != part {
			part = l.part
			fmt.Fprintln(w)
			fmt.Fprintln(w, strings.Join(r.head(part), "\t")+"\t")
		}
		fmt.Fprintln(w, strings.Join(r.cells(l), "\t")+"\t")
	}
	return w.Flush()
}

func (r *report) head(part string) []string {
	cells := []string{part, "unit"}
	for i, size := range r.sizes {
		cells = append(cells, r.column(size))
		if i > 0 {
			cells = append(cells, "ratio")
		}
	}
	return append(cells, "goal")
}

func (r *report) cells(l *line) []string {
	cells := []string{l.name, l.unit}
	var missed []string
	for i, size := range r.sizes {
		v, ok := l.values[size]
		text, ratio := "-", "-"
		if ok {
			text = number(v)
		}
		if l.notes[size] != "" {
			text = "FAILED"
		}
		if q := l.ratio(r.sizes, size); ok && !math.IsNaN(q) && !math.IsInf(q, 0) {
			ratio = fmt.Sprintf("%.2f", q)
		}
		cells = append(cells, text)
		if i > 0 {
			cells = append(cells, ratio)
		}
		if l.missed(r.sizes, size) {
			missed = append(missed, r.column(size))
		}
	}
	return append(cells, l.verdict(missed))
}

func (l *line) verdict(missed []string) string {
	if l.goal == nil {
		return ""
	}
	text := "<= " + number(l.goal.most)
	if l.goal.ratio {
		text = "ratio " + text
	}
	if len(missed) > 0 {
		text += ", missed at " + strings.Join(missed, ", ")
	}
	return text
}

// number has three digits that matter.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// percentile is the nearest rank.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
}
