package ovn

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogLineNamesFewPorts(t *testing.T) {
	var many []string
	for i := range named + 1 {
		many = append(many, fmt.Sprint("port-", i))
	}
	cases := map[string]struct {
		reason      string
		ports, want []string
	}{
		"None":    {"nothing was added", nil, nil},
		"Some":    {"all are named", many[:named], many[:named]},
		"TooMany": {"the rest is counted", many, append(many[:named:named], "and 1 more")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, some(tc.ports)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
