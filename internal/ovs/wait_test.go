package ovs

import (
	"strings"
	"testing"
)

func TestNotInstalled(t *testing.T) {
	ports := []Port{
		{Name: "done", State: State{Installed: true}},
		{Name: "plugged"},
		{Name: "refused", State: State{Error: "could not open network device refused (No such device)"}},
	}
	cases := map[string]struct {
		reason  string
		names   []string
		missing []string
		wantErr bool
	}{
		"AllThere":  {"nothing is missing", []string{"done"}, nil, false},
		"NoFlows":   {"a plugged port waits for its flows", []string{"done", "plugged"}, []string{"plugged"}, false},
		"NotCached": {"a port that the cache does not show yet is waited for", []string{"later", "done"}, []string{"later"}, false},
		"Refused":   {"what ovs-vswitchd refuses never comes", []string{"plugged", "refused"}, nil, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := notInstalled(ports, tc.names)
			if (err != nil) != tc.wantErr {
				t.Fatalf("%s: notInstalled(%v) gave error %v", tc.reason, tc.names, err)
			}
			if (got == "") != (len(tc.missing) == 0) {
				t.Errorf("%s: notInstalled(%v) = %q", tc.reason, tc.names, got)
			}
			for _, port := range tc.missing {
				if !strings.Contains(got, port) {
					t.Errorf("%s: notInstalled(%v) = %q, which does not name %q", tc.reason, tc.names, got, port)
				}
			}
		})
	}
}
