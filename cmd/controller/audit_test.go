package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"l2sm.io/l2sm/internal/audit"
)

// Programs go by the exit code: whether something is wrong, or could not be
// seen, is told apart.
func TestAuditExitCode(t *testing.T) {
	found := []audit.Discrepancy{{Where: "here", What: "is missing"}}
	cases := map[string]struct {
		reason string
		report audit.Report
		want   int
	}{
		"Clean":  {"all is as it should be", audit.Report{}, 0},
		"Found":  {"something is not", audit.Report{Discrepancies: found}, 1},
		"Unseen": {"who could not look does not say that all is well", audit.Report{Unseen: found}, 2},
		"Both":   {"nor that this was all", audit.Report{Discrepancies: found, Unseen: found}, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				var out bytes.Buffer
				code, failure := 0, &exitError{}
				if err := tell(tc.report, format, &out); errors.As(err, &failure) {
					code = failure.code
				}
				if code != tc.want {
					t.Errorf("%s: exit code %d, want %d", tc.reason, code, tc.want)
				}
				if json.Valid(out.Bytes()) != (format == "json") {
					t.Errorf("-o %s printed %s", format, out.String())
				}
			}
		})
	}
}

// A mistake on the command line is no discrepancy.
func TestAuditBadOptions(t *testing.T) {
	cases := map[string]struct {
		reason, says string
		args         []string
	}{
		"Format":   {"there are two", "neither text nor json", []string{"-o", "yaml"}},
		"NoNB":     {"without the databases there is nothing to compare", "--nb is missing", []string{"--sb=unix:/sb"}},
		"Zoned":    {"each node's agent tells of its databases, and needs none", "--metrics-tls-dir", []string{"--fabric=Zones"}},
		"NoTLS":    {"the rest will do, and ssl: needs certificates", "--tls-dir", []string{"--nb=ssl:[::1]:6641", "--sb=unix:/sb"}},
		"Flag":     {"nor any other", "unknown flag", []string{"--fix"}},
		"Argument": {"there are none", "unknown command", []string{"default"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"NB_ENDPOINTS", "SB_ENDPOINTS", "UNDERLAY_MTU", "TLS_DIR", "METRICS_TLS_DIR"} {
				t.Setenv(key, "")
			}
			root := newRoot()
			root.SetArgs(append([]string{"audit"}, tc.args...))
			err := root.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("%s: got %v, want an error that says %q", tc.reason, err, tc.says)
			}
			failure := &exitError{code: 1}
			if errors.As(err, &failure); failure.code != exitUnseen {
				t.Errorf("%s: exit code %d, want %d", tc.reason, failure.code, exitUnseen)
			}
		})
	}
}
