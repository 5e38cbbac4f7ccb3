//go:build integration

package sidestest_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	. "l2sm.io/l2sm/internal/edge/sidestest"
)

var marks uint32

// frames are broadcasts from the pod, each with a mark of its own.
func frames(from *Pod, n int) (all [][]byte, first uint32) {
	first = marks
	for range n {
		all = append(all, Frame(Broadcast, from.MAC, marks))
		marks++
	}
	return all, first
}

// quiet returns when nothing more has arrived for a while, and how much did.
func quiet(ear *Ear) int { return still(ear.All) }

// still returns when the number has not changed for a while.
func still(count func() int) int {
	last, since := count(), time.Now()
	for time.Since(since) < 300*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
		if n := count(); n != last {
			last, since = n, time.Now()
		}
	}
	return last
}

func TestDataPlane(t *testing.T) {
	p := startPlane(t)
	a, b := p.red[0], p.red[1]
	for i, from := range p.red {
		for j, to := range p.red {
			if i != j {
				from.Reaches(to)
			}
		}
	}
	for i, from := range p.blue {
		from.Reaches(p.blue[(i+1)%len(p.blue)])
	}

	t.Run("FullMTU", func(t *testing.T) {
		for _, to := range p.red[1:] {
			g := gomega.NewWithT(t)
			g.Eventually(func() error { return a.Ping(to.V4(), "-M", "do", "-s", fmt.Sprint(PodMTU-28)) }, patience, "10ms").Should(gomega.Succeed())
			g.Eventually(func() error { return a.Ping(to.V6(), "-M", "do", "-s", fmt.Sprint(PodMTU-48)) }, patience, "10ms").Should(gomega.Succeed())
		}
	})
	t.Run("EachBroadcastOnce", p.testBroadcast)
	t.Run("OnTheWAN", p.testOnTheWAN)
	t.Run("Strangers", p.testStrangers)
	t.Run("FloodRate", p.testFloodRate)
	t.Run("Answers", p.testAnswers)
	t.Run("ForeignMACs", func(t *testing.T) {
		const macs = 2000
		before, ear := p.Sides[0].Learned(), a.Hear()
		var sent [][]byte
		for i := range uint32(macs) {
			sent = append(sent, Frame(Broadcast, binary.BigEndian.AppendUint32([]byte{2, 0x66}, i), marks))
			marks++
		}
		for some := range slices.Chunk(sent, 50) {
			// Each is a flow of its own in the datapath, so the next wait for these.
			had := ear.All()
			p.vtep.SendVXLAN(p.edges[0].WAN, 5001, some...)
			gomega.NewWithT(t).Eventually(ear.All, patience, "1ms").Should(gomega.BeNumerically(">=", had+len(some)*9/10))
		}
		if got := quiet(ear); got < macs*9/10 {
			t.Errorf("%d of %d frames arrived: too few to tell anything", got, macs)
		}
		if rows := p.Sides[0].Learned(); rows != before {
			t.Errorf("the southbound database learned %d MAC addresses of another side", rows-before)
		}
		t.Logf("%d MAC addresses of another side, %d rows of FDB", macs, p.Sides[0].Learned())
		// Those of its own pods are learned, where port security lets them have any.
		open := p.Sides[0].OpenPod(p.Sides[0].Worker, red, mac(30))
		open.Send(Frame(Broadcast, []byte{2, 0x77, 0, 0, 0, 1}, marks), Frame(Broadcast, []byte{2, 0x77, 0, 0, 0, 2}, marks))
		gomega.NewWithT(t).Eventually(p.Sides[0].Learned, patience, "20ms").Should(gomega.BeNumerically(">=", before+2))
	})
	t.Run("ChangeOfEdge", p.testChangeOfEdge)
	t.Run("BothAnnounce", p.testBothAnnounce)
	t.Run("Unreachable", func(t *testing.T) {
		// Both ends have seen each other by now.
		watch, cut := p.edges[1], p.edges[2]
		forwards := func(is bool) func() bool {
			return func() bool { return watch.tunnels[cut.WAN].BFD.Forwarding == is }
		}
		watch.until(forwards(true))
		mend := cut.Cut()
		began := time.Now()
		watch.until(forwards(false))
		t.Logf("BFD tells of an edge that is cut off after %s", time.Since(began).Round(time.Millisecond))
		mend()
		watch.until(forwards(true))
		b.Reaches(p.red[2])
	})
}

func (p *plane) testBroadcast(t *testing.T) {
	const n = 20
	for i, from := range p.red {
		var ears []*Ear
		for j, to := range p.red {
			if i != j {
				ears = append(ears, to.Hear())
			}
		}
		others := p.blue[0].Hear()
		sent, first := frames(from, n)
		from.Send(sent...)
		for j, ear := range ears {
			if got := quiet(ear); got != n {
				t.Errorf("%d broadcasts of %s are %d at the %d. other pod", n, from.Port, got, j+1)
			}
			for mark := first; mark < first+n; mark++ {
				if copies := ear.Copies(mark); copies != 1 {
					t.Errorf("broadcast %d of %s arrived %d times at the %d. other pod", mark-first, from.Port, copies, j+1)
				}
			}
		}
		if got := others.All(); got != 0 {
			t.Errorf("%d frames of one network arrived on another with the same addresses", got)
		}
	}
}

// testOnTheWAN has every broadcast cross once to each peer, with the network's identifier.
func (p *plane) testOnTheWAN(t *testing.T) {
	var mu sync.Mutex
	type crossing struct{ vni, mark uint32 }
	seen := map[crossing]int{}
	p.Capture(func(frame []byte) {
		// Ethernet, IPv4, UDP and VXLAN have 50 bytes; then comes the frame of the test's.
		if len(frame) < 50+18 || binary.BigEndian.Uint16(frame[36:]) != 4789 || binary.BigEndian.Uint16(frame[50+12:]) != 0x88b5 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		seen[crossing{binary.BigEndian.Uint32(frame[46:]) >> 8, binary.BigEndian.Uint32(frame[50+14:])}]++
	})
	ear := p.red[0].Hear()
	sent, first := frames(p.red[1], 20)
	p.red[1].Send(sent...)
	quiet(ear)
	mu.Lock()
	defer mu.Unlock()
	for mark := first; mark < first+20; mark++ {
		if n, peers := seen[crossing{5001, mark}], len(p.edges)-1; n != peers {
			t.Errorf("a broadcast crosses the network between sides %d times, want once to each of %d peers", n, peers)
		}
	}
	if len(seen) != len(sent) {
		t.Errorf("%d broadcasts are seen as %v", len(sent), seen)
	}
}

func (p *plane) testStrangers(t *testing.T) {
	ears := []*Ear{p.red[0].Hear(), p.red[1].Hear(), p.red[3].Hear(), p.blue[0].Hear()}
	stranger := p.Stranger()
	sent, _ := frames(p.red[1], 20)
	for _, e := range append(p.edges, p.later) {
		for _, vni := range []uint32{5001, 5002, 0} {
			stranger.SendVXLAN(e.WAN, vni, sent...)
		}
		// The fabric's VTEP is of the first side's peer, and of no network but one.
		p.vtep.SendVXLAN(e.WAN, 5002, sent...)
	}
	for _, ear := range ears {
		if got := quiet(ear); got != 0 {
			t.Errorf("%d frames of a stranger arrived", got)
		}
	}
	sent, first := frames(p.red[1], 20)
	p.vtep.SendVXLAN(p.edges[0].WAN, 5001, sent...)
	if got := quiet(ears[0]); got != 20 || ears[0].Copies(first) != 1 {
		t.Errorf("%d of 20 frames of the fabric's VTEP arrived", got)
	}
	if got := quiet(ears[1]); got != 0 {
		t.Errorf("%d frames of the fabric went from one tunnel to another", got)
	}
}

func (p *plane) testFloodRate(t *testing.T) {
	const rate, n = 100, 2000
	p.writeAll(rate)
	defer p.writeAll(10_000)
	cases := map[string]func([][]byte){
		"out": func(sent [][]byte) { p.red[1].Send(sent...) },
		"in":  func(sent [][]byte) { p.vtep.SendVXLAN(p.edges[0].WAN, 5001, sent...) },
	}
	for name, send := range cases {
		ear, began := p.red[0].Hear(), time.Now()
		sent, _ := frames(p.red[1], n)
		send(sent)
		got, took := quiet(ear), time.Since(began)
		most := int(rate * (took.Seconds() + 1)) // the burst is a second's
		if got == 0 || got > most {
			t.Errorf("%s: of %d broadcasts %d arrived in %s at %d a second, want some, and %d at most", name, n, got, took, rate, most)
		}
		t.Logf("%s: %d broadcasts at once, %d arrived (%d a second)", name, n, got, rate)
		if err := p.red[0].Ping(p.red[1].V4()); err != nil {
			t.Errorf("what goes to one address is not held up: %v", err)
		}
	}
	counts, err := p.edges[1].flows.Meters(t.Context())
	if count := counts[uint32(meter(5001, 1))]; err != nil || count.Dropped == 0 {
		t.Errorf("the meter that dropped says %+v, %v", count, err)
	}
}
