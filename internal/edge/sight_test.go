package edge

import (
	"testing"
	"time"
)

func TestSight(t *testing.T) {
	now := time.Unix(1000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cases := map[string]struct {
		reason string
		was    sight
		up     bool
		alive  time.Time
		gone   bool
	}{
		"Dead":        {"it was there for long", sight{up: true, since: ago(time.Hour)}, false, ago(time.Hour), true},
		"Never":       {"who never answered may have no BFD", sight{}, false, ago(time.Hour), false},
		"Flap":        {"it was there for a moment", sight{up: true, since: ago(time.Second)}, false, ago(time.Hour), false},
		"OwnRestart":  {"this node's ovs-vswitchd is new, and begins with all down", sight{up: true, since: ago(time.Hour)}, false, ago(time.Second), false},
		"OwnDeath":    {"this node's ovs-vswitchd does not answer", sight{up: true, since: ago(time.Hour)}, false, time.Time{}, false},
		"StillGone":   {"nothing new is told", sight{gone: true}, false, ago(time.Second), true},
		"Back":        {"it answers again", sight{gone: true}, true, ago(time.Hour), false},
		"FirstToldUp": {"a program that starts may be told what was", sight{up: true, since: ago(time.Second)}, false, ago(time.Second), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.was.told(tc.up, tc.alive, now); got.gone != tc.gone || got.up != tc.up {
				t.Errorf("%s: %+v, want gone %v", tc.reason, got, tc.gone)
			}
		})
	}
}
