package main

import (
	"testing"
	"time"
)

func TestCompareWays(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * time.Millisecond) }
	bare, early := &timeline{pod: "a", created: at(0), ready: at(100)}, &timeline{pod: "b", created: at(0), ready: at(120), entered: at(50), returned: at(70)}
	rows, err := compareWays([][]*timeline{{bare}, {early}, {early}})
	if err != nil || len(rows) != 5 || rows[0].P50 != 100 || rows[3].P50 != 120 || rows[4].P50 != 20 {
		t.Errorf("the table is %+v (error %v)", rows, err)
	}
	late := &timeline{pod: "c", created: at(0), ready: at(120), entered: at(130), returned: at(150)}
	for name, bad := range map[string]*timeline{"Late": late, "Never": bare} {
		if rows, err := compareWays([][]*timeline{{bare}, {early}, {bad}}); err == nil {
			t.Errorf("%s: the table is %+v", name, rows)
		}
	}
}
