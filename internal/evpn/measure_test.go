//go:build integration

package evpn

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// pair is two speakers with a session; what east announces is received on the channel.
func pair(b *testing.B, n int) (east *GoBGP, received chan Learned) {
	b.Helper()
	saw := newRecorder()
	saw.received = make(chan Learned, 1<<16)
	speakers := make([]*GoBGP, 2)
	for i, events := range []Events{newRecorder(), saw} {
		address := netip.AddrFrom4([4]byte{127, 179, byte(n), byte(i + 1)})
		s, err := NewSpeaker(b.Context(), Config{Address: address, ASN: testASN, Port: testPort}, events, logr.Discard())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(s.Close)
		speakers[i] = s
	}
	for i, s := range speakers {
		if err := s.SetPeers(b.Context(), []Peer{{Name: "peer", ASN: testASN, Endpoints: []netip.Addr{speakers[1-i].config.Address}}}); err != nil {
			b.Fatal(err)
		}
	}
	for !saw.ended(speakers[0].config.Address)() {
		<-time.After(time.Millisecond)
	}
	return speakers[0], saw.received
}

// BenchmarkNewMAC is from Announce to the other side's Received.
func BenchmarkNewMAC(b *testing.B) {
	east, received := pair(b, 20)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if err := east.Announce(b.Context(), Route{RouteKey: macIP(5001, i, "10.0.0.1")}, []string{"peer"}); err != nil {
			b.Fatal(err)
		}
		<-received
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	for name, at := range map[string]int{"p50-ms": 50, "p95-ms": 95} {
		b.ReportMetric(float64(took[len(took)*at/100].Microseconds())/1000, name)
	}
}

// BenchmarkManyMACs is from the first Announce to the last Received, and what both
// speakers and GoBGP hold then.
func BenchmarkManyMACs(b *testing.B) {
	for _, n := range []int{2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for round := 0; b.Loop(); round++ {
				before := heap()
				east, received := pair(b, 30+round+n/1000*10)
				began := time.Now()
				for i := range n {
					address := fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)
					if err := east.Announce(b.Context(), Route{RouteKey: macIP(5001, i, address)}, []string{"peer"}); err != nil {
						b.Fatal(err)
					}
				}
				for range n {
					<-received
				}
				b.ReportMetric(time.Since(began).Seconds(), "s/all")
				b.ReportMetric(float64(heap()-before)/(1<<20), "MiB/both")
				east.Close()
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
