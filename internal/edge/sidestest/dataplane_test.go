//go:build integration

package sidestest_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"

	. "l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/openflow"
)

const red, blue = "team/red", "team/blue"

// plane is three sides with two networks that have the same addresses.
type plane struct {
	*World
	t     *testing.T
	edges []*edge // one a side
	later *edge   // the first side's other one
	both  bool    // the other one announces the first side's networks, too
	red   []*Pod  // one a side, on its worker, then one on the first side's edge
	blue  []*Pod
	vtep  *Stranger // of a fabric that the first side peers with
}

func startPlane(t *testing.T) *plane {
	t.Helper()
	began := time.Now()
	p := &plane{World: Start(t, 2, 1, 1), t: t}
	t.Logf("three sides with four edges are up after %s", time.Since(began).Round(10*time.Millisecond))
	p.vtep = p.Stranger()
	var all []netip.Addr
	for _, side := range p.Sides {
		for _, node := range side.Edges {
			all = append(all, node.WAN)
		}
	}
	for _, side := range p.Sides {
		for i, node := range side.Edges {
			var peers []netip.Addr
			for _, one := range all {
				if one != node.WAN {
					peers = append(peers, one)
				}
			}
			e := startEdge(t, node, peers...)
			if i == 0 {
				p.edges = append(p.edges, e)
			} else {
				p.later = e
			}
		}
	}
	for _, name := range []string{red, blue} {
		for _, side := range p.Sides {
			side.Network(name)
			side.EdgePort(name, side.Edges[0])
		}
	}
	for i, side := range p.Sides {
		p.red = append(p.red, side.Pod(side.Worker, red, mac(i), addresses(i)...))
		p.blue = append(p.blue, side.Pod(side.Worker, blue, mac(i), addresses(i)...))
	}
	p.red = append(p.red, p.Sides[0].Pod(p.Sides[0].Edges[0], red, mac(9), addresses(9)...))
	p.writeAll(10_000)
	return p
}

func mac(i int) string { return fmt.Sprintf("02:aa:00:00:00:%02x", i+1) }

func addresses(i int) []string {
	return []string{fmt.Sprintf("10.50.0.%d/24", i+1), fmt.Sprintf("fd50::%x/64", i+1)}
}

// write writes the flows of both networks on an edge of side i.
func (p *plane) write(e *edge, i int, rate uint32) {
	p.t.Helper()
	n := network{name: red, vni: 5001, rate: rate, macs: map[openflow.MAC]netip.Addr{}}
	for other, peer := range p.edges {
		if other == i {
			continue
		}
		n.peers = append(n.peers, peer.WAN)
		n.macs[openflow.MAC(p.red[other].MAC)] = peer.WAN
	}
	if i == 0 {
		n.vteps = []netip.Addr{p.vtep.Addr}
	} else {
		n.macs[openflow.MAC(p.red[3].MAC)] = p.edges[0].WAN
		if p.both {
			n.peers = append(n.peers, p.later.WAN)
		}
	}
	e.write(n)
	n.name, n.vni, n.macs, n.vteps = blue, 5002, nil, nil
	e.write(n)
}

func (p *plane) writeAll(rate uint32) {
	p.t.Helper()
	for i, e := range p.edges {
		p.write(e, i, rate)
	}
}

// move has the first side's other edge bind its networks, and returns when it has a port.
func (p *plane) move() {
	p.t.Helper()
	for _, name := range []string{red, blue} {
		p.Sides[0].EdgePort(name, p.later.Node)
	}
	p.edges[0], p.later = p.later, p.edges[0]
	for _, name := range []string{red, blue} {
		p.edges[0].port(name)
	}
}

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
func quiet(ear *Ear) int {
	last, since := ear.All(), time.Now()
	for time.Since(since) < 300*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
		if n := ear.All(); n != last {
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
	t.Run("Strangers", p.testStrangers)
	t.Run("FloodRate", p.testFloodRate)
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
	if err != nil || counts[2*5001].Dropped == 0 {
		t.Errorf("the meter that dropped says %+v, %v", counts[2*5001], err)
	}
}
