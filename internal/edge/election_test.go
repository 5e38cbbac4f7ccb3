package edge

import (
	"testing"
	"time"
)

func TestElection(t *testing.T) {
	now := time.Unix(1000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cases := map[string]struct {
		reason string
		race
		want  step
		again time.Duration
	}{
		"First":           {"nobody is there", race{me: "a", eligible: true, since: now}, take, leaseRenews},
		"NotAnEdge":       {"the L2Edge does not name the node", race{me: "a", since: ago(time.Hour)}, stay, 0},
		"Holder":          {"renewing is not due", race{me: "a", eligible: true, holder: "a", since: ago(time.Second)}, stay, 4 * time.Second},
		"Renew":           {"it is due", race{me: "a", eligible: true, holder: "a", since: ago(5 * time.Second)}, renew, leaseRenews},
		"Shrunk":          {"the node is an edge no more and another is", race{me: "a", others: true, holder: "a", since: now}, release, 0},
		"LastOne":         {"no edge is left to take it: networks go on as long as the port is bound", race{me: "a", holder: "a", since: now}, stay, leaseRenews},
		"StandsBy":        {"the holder renews", race{me: "a", eligible: true, others: true, holder: "b", since: ago(6 * time.Second)}, stay, 9 * time.Second},
		"Expired":         {"the holder and the way to it are gone, and BFD never was up", race{me: "a", eligible: true, others: true, holder: "b", since: ago(15 * time.Second)}, take, leaseRenews},
		"Dead":            {"BFD saw the holder go", race{me: "a", eligible: true, others: true, holder: "b", since: now, gone: true}, take, leaseRenews},
		"DoNotTakeTurns":  {"who took it from a living edge sees what that one sees", race{me: "a", eligible: true, others: true, holder: "b", since: now, gone: true, distrust: true}, stay, leaseLasts},
		"DistrustExpires": {"a Lease that is not renewed is free whatever was before", race{me: "a", eligible: true, others: true, holder: "b", since: ago(15 * time.Second), gone: true, distrust: true}, take, leaseRenews},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, again := tc.next(now)
			if got != tc.want || again != tc.again {
				t.Errorf("%s: step %d, again in %s, want %d, %s", tc.reason, got, again, tc.want, tc.again)
			}
		})
	}
}
