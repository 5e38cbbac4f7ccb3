//go:build integration && kernel

package sidestest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/onsi/gomega"
)

// TestEncryptedByTheKernel is what edges do with encryption where datapath and WireGuard are the
// kernel's: whoever sees what goes between them sees WireGuard alone, and what the MTU leaves
// passes to the byte.
func TestEncryptedByTheKernel(t *testing.T) {
	const pattern = "l2sm secret"
	r := startRoad(t, true)
	var mu sync.Mutex
	seen := map[string]int{}
	r.Capture(func(frame []byte) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case bytes.Contains(frame, []byte(pattern)):
			seen["words"]++
		case len(frame) < 42 || binary.BigEndian.Uint16(frame[12:]) == 0x0806 || binary.BigEndian.Uint16(frame[12:]) == 0x86dd:
			// The segment's own: ARP, and neighbour discovery of the machines on it.
		case frame[23] == 17 && binary.BigEndian.Uint16(frame[36:]) == wireGuardPort:
			seen["WireGuard"]++
		default:
			seen["other IPv4"]++
		}
	})
	for i, from := range r.pods {
		to := r.pods[1-i]
		for _, way := range []struct {
			to      netip.Addr
			headers int
		}{{to.V4(), 28}, {to.V6(), 48}} {
			size := func(mtu int) error {
				return from.Ping(way.to, "-M", "do", "-p", fmt.Sprintf("%x", pattern), "-s", fmt.Sprint(mtu-way.headers))
			}
			gomega.NewWithT(t).Eventually(func() error { return size(encryptedMTU) }, patience, "10ms").Should(gomega.Succeed())
			if size(encryptedMTU+1) == nil {
				t.Errorf("%d bytes pass to %s, want %d at most", encryptedMTU+1, way.to, encryptedMTU)
			}
		}
	}
	setMTU(t, r.pods...)
	t.Logf("by TCP: %.1f Mbit/s", r.pods[0].Transfer(r.pods[1]))
	mu.Lock()
	defer mu.Unlock()
	if seen["words"] != 0 || seen["other IPv4"] != 0 || seen["WireGuard"] == 0 {
		t.Errorf("an outsider sees %v, want WireGuard alone", seen)
	}
	t.Logf("an outsider sees %v", seen)
}

// BenchmarkThroughput is that of internal/edge, without its control plane: Geneve between two
// nodes of one side, and what of it is left over two sides' edges.
func BenchmarkThroughput(b *testing.B) {
	for name, encrypted := range map[string]bool{"Plain": false, "Encrypted": true} {
		b.Run(name, func(b *testing.B) {
			r := startRoad(b, encrypted)
			from, far := r.pods[0], r.pods[1]
			near := r.Sides[0].Pod(r.Sides[0].Edges[0], red, mac(7), addresses(7)...)
			atEdge := r.Sides[1].Pod(r.Sides[1].Edges[0], red, mac(8), addresses(8)...)
			r.write(0, far, atEdge)
			from.Reaches(near)
			from.Reaches(atEdge)
			if encrypted {
				setMTU(b, from, far, near, atEdge)
			}
			var geneve, edges, fewer float64
			n := 0.0
			for b.Loop() {
				geneve, edges, fewer = geneve+from.Transfer(near), edges+from.Transfer(far), fewer+from.Transfer(atEdge)
				n++
			}
			b.ReportMetric(geneve/n, "Mbit/s-Geneve")
			b.ReportMetric(edges/geneve, "of-it-over-edges")
			b.ReportMetric(fewer/geneve, "of-it-to-a-pod-of-the-edge")
		})
	}
}
