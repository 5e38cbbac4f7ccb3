//go:build integration

package sidestest_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/onsi/gomega"

	. "l2sm.io/l2sm/internal/edge/sidestest"
)

// asks has a station ask for an address, by ARP or neighbour solicitation.
func asks(t *testing.T, station net.HardwareAddr, from, to netip.Addr) []byte {
	t.Helper()
	if to.Is4() {
		body := append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, station...)
		body = append(append(body, from.AsSlice()...), 0, 0, 0, 0, 0, 0)
		return pad(append(append(append([]byte{}, Broadcast...), station...), 0x08, 0x06), append(body, to.AsSlice()...))
	}
	group, err := ndp.SolicitedNodeMulticast(to)
	if err != nil {
		t.Fatal(err)
	}
	source := ndp.LinkLayerAddress{Direction: ndp.Source, Addr: station}
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{TargetAddress: to, Options: []ndp.Option{&source}}, from, group)
	if err != nil {
		t.Fatal(err)
	}
	last := group.As16()
	head := append(append([]byte{0x33, 0x33}, last[12:]...), station...)
	head = append(head, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(body)), 58, 255)
	return pad(append(append(head, from.AsSlice()...), group.AsSlice()...), body)
}

func pad(head, body []byte) []byte {
	return slices.Concat(head, body, make([]byte, max(0, 60-len(head)-len(body))))
}

// testAnswers has stations ask that nobody has announced: OVN answers in the pods' place, and
// its answers go to every side, as all does to an unknown address.
func (p *plane) testAnswers(t *testing.T) {
	const rate = 20
	p.writeAll(rate)
	defer p.writeAll(10_000)
	t.Run("ARP", func(t *testing.T) { p.testAnswersTo(t, 1, netip.MustParseAddr("10.50.0.66"), p.red[0].V4(), rate) })
	t.Run("ND", func(t *testing.T) { p.testAnswersTo(t, 2, netip.MustParseAddr("fd50::66"), p.red[0].V6(), rate) })
}

func (p *plane) testAnswersTo(t *testing.T, number byte, from, to netip.Addr, rate float64) {
	station := net.HardwareAddr{2, 0x66, 0, 0, 0, number}
	var mu sync.Mutex
	answers := map[netip.Addr]int{} // by where they go
	p.Capture(func(frame []byte) {
		// Ethernet, IPv4, UDP and VXLAN have 50 bytes.
		if len(frame) >= 50+14 && binary.BigEndian.Uint16(frame[36:]) == 4789 && bytes.Equal(frame[50:56], station) {
			mu.Lock()
			defer mu.Unlock()
			answers[netip.AddrFrom4([4]byte(frame[30:34]))]++
		}
	})
	seen := func() map[netip.Addr]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(answers)
	}
	all := func() (sum int) {
		for _, n := range seen() {
			sum += n
		}
		return sum
	}
	question := asks(t, station, from, to)
	gomega.NewWithT(t).Eventually(func() []netip.Addr {
		p.vtep.SendVXLAN(p.edges[0].WAN, 5001, question)
		still(all)
		return slices.Collect(maps.Keys(seen()))
	}, patience).Should(gomega.ConsistOf(p.edges[1].WAN, p.edges[2].WAN, p.vtep.Addr, p.other.Addr), "who gets answers")

	before, began := seen(), time.Now()
	many := slices.Repeat([][]byte{question}, 1000)
	p.vtep.SendVXLAN(p.edges[0].WAN, 5001, many...)
	still(all)
	most := int(rate * (time.Since(began).Seconds() + 1))
	for at, n := range seen() {
		t.Logf("%d questions at once are %d answers to %s", len(many), n-before[at], at)
		if n-before[at] > most {
			t.Errorf("%d answers to %s, want %d at most: %v a second", n-before[at], at, most, rate)
		}
	}
	p.red[1].Reaches(p.red[0])
}
