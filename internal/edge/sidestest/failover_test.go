//go:build integration

package sidestest_test

import (
	"testing"
	"time"

	. "l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
)

func (p *plane) testChangeOfEdge(t *testing.T) {
	for range 2 {
		stream := p.red[0].Stream(p.red[1].V4())
		from, began := p.edges[0], time.Now()
		p.move()
		bound := time.Since(began)
		p.writeAll(10_000)
		written := time.Since(began)
		lost := stream.Stop()
		from.until(func() bool { return from.networks[red] == 0 })
		t.Logf("from %s to %s: ports after %s, flows of all edges after %s, pings: %s", from.Name, p.edges[0].Name,
			bound.Round(time.Millisecond), written.Round(time.Millisecond), lost)
		if lost.Gap > nstest.Patience(2*time.Second) {
			t.Errorf("pings were held up for %s", lost.Gap)
		}
	}
	p.sees(t, p.red[1], p.red[0], 1, 1)
}

// sees has each of some broadcasts of a pod arrive at another so many times, once all nodes
// have followed the change. While they do, one may be lost, or arrive by both edges: never
// more than twice.
func (p *plane) sees(t *testing.T, from, to *Pod, least, most int) {
	t.Helper()
	ear := to.Hear()
	for late := time.Now().Add(patience); ; {
		sent, first := frames(from, 20)
		from.Send(sent...)
		quiet(ear)
		fewest, highest, copies := 2, 0, 0
		for mark := first; mark < marks; mark++ {
			n := ear.Copies(mark)
			fewest, highest, copies = min(fewest, n), max(highest, n), copies+n
		}
		t.Logf("%d broadcasts of %s are %d at %s, each %d to %d", len(sent), from.Port, copies, to.Port, fewest, highest)
		switch {
		case highest > 2:
			t.Fatalf("a broadcast of %s arrived %d times at %s: they go round", from.Port, highest, to.Port)
		case fewest >= least && highest <= most:
			return
		case time.Now().After(late):
			t.Fatalf("broadcasts of %s arrive %d to %d times at %s, want %d to %d", from.Port, fewest, highest, to.Port, least, most)
		}
	}
}

// testBothAnnounce has both edges of the first side take themselves for the active one:
// they have flows, and the others send to both. The port is bound once.
func (p *plane) testBothAnnounce(t *testing.T) {
	p.both = true
	defer func() { p.both = false; p.writeAll(10_000) }()
	p.move()
	p.writeAll(10_000)
	p.later.until(func() bool { return p.later.networks[red] == 0 })
	for _, pair := range [][2]*Pod{{p.red[0], p.red[1]}, {p.red[1], p.red[0]}, {p.red[1], p.red[2]}, {p.red[0], p.red[3]}} {
		p.sees(t, pair[0], pair[1], 1, 1)
	}

	// The ovn-controller of the one that was bound stands still: its flows go on.
	resume := p.edges[0].PauseController()
	p.move()
	p.writeAll(10_000)
	for _, pair := range [][2]*Pod{{p.red[0], p.red[1]}, {p.red[1], p.red[0]}, {p.red[1], p.red[2]}, {p.red[0], p.red[3]}} {
		p.sees(t, pair[0], pair[1], 1, 2)
	}
	resume()
	p.later.until(func() bool { return p.later.networks[red] == 0 })
	for _, pair := range [][2]*Pod{{p.red[0], p.red[1]}, {p.red[1], p.red[0]}} {
		p.sees(t, pair[0], pair[1], 1, 1)
	}
}
