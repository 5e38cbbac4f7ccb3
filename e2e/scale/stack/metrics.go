package stack

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// Metrics are samples of Prometheus' text format.
type Metrics []sample

type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// parseMetrics reads the text format: https://prometheus.io/docs/instrumenting/exposition_formats. Lines that it doesn't
// understand are left out.
func parseMetrics(r io.Reader) (Metrics, error) {
	var all Metrics
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(line[:at], "{")
		all = append(all, sample{name, parseLabels(labels), value})
	}
	return all, lines.Err()
}

// parseLabels reads `a="b",c="d"}`.
func parseLabels(text string) map[string]string {
	labels := map[string]string{}
	for {
		name, rest, ok := strings.Cut(text, `="`)
		if !ok {
			return labels
		}
		value, rest, ok := strings.Cut(rest, `"`)
		if !ok {
			return labels
		}
		labels[strings.TrimLeft(name, ",")] = value
		text = rest
	}
}

// Sum adds up the samples of the metric that have the labels, given as name and value in turn.
func (m Metrics) Sum(name string, labels ...string) float64 {
	sum := 0.0
	for _, s := range m {
		if s.name == name && s.has(labels) {
			sum += s.value
		}
	}
	return sum
}

func (s sample) has(labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if s.labels[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}
