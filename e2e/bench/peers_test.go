package main

import (
	"strings"
	"testing"
	"time"
)

const peerLog = `I1127 21:59:59.900000  4711 cni.go:382] [bench/p1 0123abcd network default NAD default] ADD starting CNI request [bench/p1 0123abcd network default NAD default]
I1127 23:59:59.900000  4711 cni.go:382] [bench/p1 0123abcd network theirs NAD bench/theirs] ADD starting CNI request [bench/p1 0123abcd network theirs NAD bench/theirs]
I1127 23:59:59.950000  4711 cni.go:382] [other/p1 0123abcd network theirs NAD bench/theirs] ADD starting CNI request [other/p1 0123abcd network theirs NAD bench/theirs]
I1127 23:59:59.960000  4711 cni.go:403] [bench/p1 0123abcd network theirs NAD bench/theirs] DEL finished CNI request
I1128 00:00:00.200000  4711 cni.go:403] [bench/p1 0123abcd network theirs NAD bench/theirs] ADD finished CNI request [bench/p1 0123abcd network theirs NAD bench/theirs], result "{}", err <nil>
E1128 00:00:00.300000  4711 other.go:1] something else
`

func TestAddPeer(t *testing.T) {
	p1, p2 := &timeline{pod: "p1"}, &timeline{pod: "p2"}
	if err := addPeer(map[string]*timeline{"p1": p1, "p2": p2}, strings.NewReader(peerLog)); err != nil {
		t.Fatal(err)
	}
	if took := p1.returned.Sub(p1.entered); took != 300*time.Millisecond {
		t.Errorf("the second network's ADD took %s, want 300ms, over midnight", took)
	}
	if !p2.entered.IsZero() {
		t.Errorf("a pod of no line has been seen: %+v", *p2)
	}
}

func TestComparePeers(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * time.Millisecond) }
	plain := &timeline{pod: "a", created: at(0), ready: at(100), deleted: at(200), gone: at(230)}
	attached := &timeline{pod: "b", created: at(0), ready: at(150), entered: at(50), returned: at(70), deleted: at(200), gone: at(240)}
	runs := func(of *timeline) map[string]*peerRun {
		one := []*timeline{attached}
		return map[string]*peerRun{
			bare: {[]*timeline{plain}, []*timeline{plain}}, theirs: {one, []*timeline{of}}, ours: {one, one},
		}
	}
	rows, err := comparePeers(runs(attached))
	if err != nil || len(rows) != 16 || rows[0].P50 != 100 || rows[3].P50 != 20 || rows[5].P50 != 30 {
		t.Errorf("the table is %+v (error %v)", rows, err)
	}
	if rows, err := comparePeers(runs(plain)); err == nil {
		t.Errorf("a pod whose interface no log tells of is counted: %+v", rows)
	}
}

func TestBareRatios(t *testing.T) {
	rows := func(p50 float64) []row { return []row{{"bare", figure{P50: p50}}, {"memory", figure{P50: 1}}} }
	got := bareRatios(append(rows(120), row{"l2sm", figure{P50: 9}}), rows(90), rows(110)[:1])
	if len(got) != 1 || got["bare"] != 1.2 {
		t.Errorf("120 ms with, 90 and 110 ms without, are %v, want 1.2 times", got)
	}
}
