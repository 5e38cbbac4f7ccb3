package stack

import (
	"strings"
	"testing"
)

func TestMetricsSum(t *testing.T) {
	m, err := parseMetrics(strings.NewReader(`# HELP requests all of them
# TYPE requests counter
requests{code="200",method="GET"} 9
requests{code="200",method="PATCH"} 2e+03
requests{code="500",method="GET"} 1
requests_total 7
not a metric
broken{code="200
`))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		name   string
		labels []string
		want   float64
	}{
		"All":     {"samples of one name are added up", "requests", nil, 2010},
		"Label":   {"a label picks some", "requests", []string{"method", "GET"}, 10},
		"Labels":  {"two pick fewer", "requests", []string{"method", "GET", "code", "200"}, 9},
		"NoLabel": {"a name that another begins with is its own", "requests_total", nil, 7},
		"Unknown": {"what is not there is 0", "nothing", nil, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := m.Sum(tc.name, tc.labels...); got != tc.want {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}
