package audit

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUntil(t *testing.T) {
	stale, moving, other := Discrepancy{"a", "is missing"}, Discrepancy{"b", "is missing"}, Discrepancy{"c", "is missing"}
	with := func(found ...Discrepancy) Report { return Report{Discrepancies: found} }
	failed := errors.New("no database")
	cases := map[string]struct {
		reason   string
		patience time.Duration
		looks    []any // Report or error; the last is repeated
		want     Report
		err      error
		took     time.Duration
	}{
		"Clean":    {reason: "a clean look is the last", patience: time.Minute, looks: []any{with()}, want: with()},
		"Once":     {reason: "without patience there is one look", looks: []any{with(stale)}, want: with(stale)},
		"UnderWay": {reason: "what is under way passes", patience: time.Minute, looks: []any{with(moving), with(other), with()}, want: with(), took: 2 * time.Second},
		"Persists": {
			reason: "what stays is told, what only the last look found is under way", patience: 2500 * time.Millisecond,
			looks: []any{with(stale), with(stale, moving), with(stale, moving), with(stale, other)}, want: with(stale), took: 2500 * time.Millisecond,
		},
		"Unseen": {
			reason: "what could not be looked at is looked at again", patience: time.Minute,
			looks: []any{Report{Unseen: []Discrepancy{stale}}, with()}, want: with(), took: time.Second,
		},
		"Returns": {reason: "a database may be starting", patience: time.Minute, looks: []any{failed, with()}, want: with(), took: time.Second},
		"Fails":   {reason: "or not", patience: 1500 * time.Millisecond, looks: []any{failed}, err: failed, took: 1500 * time.Millisecond},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, n := time.Now(), 0
				look := func(context.Context) (Report, error) {
					next := tc.looks[min(n, len(tc.looks)-1)]
					n++
					if err, ok := next.(error); ok {
						return Report{}, err
					}
					return next.(Report), nil
				}
				got, err := Until(t.Context(), tc.patience, look, func(string) {})
				if !errors.Is(err, tc.err) {
					t.Errorf("%s: got error %v, want %v", tc.reason, err, tc.err)
				}
				if diff := cmp.Diff(tc.want.Discrepancies, got.Discrepancies, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: discrepancies (-want +got):\n%s", tc.reason, diff)
				}
				if took := time.Since(began); took != tc.took {
					t.Errorf("%s: took %s, want %s", tc.reason, took, tc.took)
				}
			})
		})
	}
}

func TestReport(t *testing.T) {
	found, unseen := []Discrepancy{{"northbound port p", "is missing"}}, []Discrepancy{{"node n", "no route"}}
	cases := map[string]struct {
		reason string
		report Report
		want   []string
	}{
		"Clean": {"nothing to say but how much was looked at", Report{Networks: 12, Attachments: 240, Nodes: 1},
			[]string{"audited 12 networks, 240 attachments, 1 node: no discrepancies"}},
		"Found": {"a line says where and what", Report{Networks: 1, Discrepancies: found},
			[]string{"northbound port p: is missing", "audited 1 network, 0 attachments, 0 nodes: 1 discrepancy"}},
		"Unseen": {"what could not be looked at is not clean", Report{Discrepancies: append(found, found...), Unseen: unseen},
			[]string{"northbound port p: is missing", "northbound port p: is missing", "node n: not looked at: no route",
				"audited 0 networks, 0 attachments, 0 nodes: 2 discrepancies; could not look at 1 place"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := tc.report.Text(&out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Join(tc.want, "\n")+"\n", out.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
