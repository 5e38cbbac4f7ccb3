// Package audit compares what the API says of attachments with everything that
// l2sm keeps of them elsewhere, both ways: OVN's two databases, each node's
// Open vSwitch and links, the interfaces in the pods, the addresses that the
// controller has given out, and what pods are told. It changes nothing.
//
//	gather.go ──> Facts ──> Check (pure) ──> []Discrepancy ──> report.go
package audit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Discrepancy is one thing that is not as it should be.
type Discrepancy struct {
	// Where it is: a database's row, a node's port, an object.
	Where string `json:"where"`
	// What is wrong there.
	What string `json:"what"`
}

// Report is what an audit has found.
type Report struct {
	Networks    int `json:"networks"`
	Attachments int `json:"attachments"`
	Nodes       int `json:"nodes"`
	// Discrepancies in the order of their places. Neither list is nil, for the
	// readers of JSON.
	Discrepancies []Discrepancy `json:"discrepancies"`
	// Unseen is what could not be looked at, and why.
	Unseen []Discrepancy `json:"unseen"`
}

// Clean says that everything was looked at and nothing found.
func (r Report) Clean() bool { return len(r.Discrepancies)+len(r.Unseen) == 0 }

// pause is how long Until waits between two looks.
const pause = time.Second

// Until looks, and again until a look is clean or the patience is over. What is
// under way while it looks seems wrong for a moment: reported is, then, what two
// looks in a row have found. progress is told of each look.
func Until(ctx context.Context, patience time.Duration, look func(context.Context) (Report, error), progress func(string)) (Report, error) {
	deadline := time.Now().Add(patience)
	var before *Report
	for {
		report, err := look(ctx)
		left := time.Until(deadline)
		switch {
		case err == nil && report.Clean(), left <= 0 && err != nil:
			return report, err
		case left <= 0:
			return persisting(before, report), nil
		case err != nil:
			progress(fmt.Sprintf("%v; looking again", err))
		default:
			progress(fmt.Sprintf("%s; looking again", report.Summary()))
			before = &report
		}
		select {
		case <-ctx.Done():
			return Report{}, ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}

// persisting is the report without the discrepancies that the look before, if
// there was one, did not find.
func persisting(before *Report, report Report) Report {
	if before == nil {
		return report
	}
	report.Discrepancies = slices.DeleteFunc(slices.Clone(report.Discrepancies), func(d Discrepancy) bool {
		return !slices.Contains(before.Discrepancies, d)
	})
	return report
}
