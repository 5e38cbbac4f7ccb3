//go:build integration && kernel

package sidestest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"

	. "l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/wireguard"
)

const (
	wireGuardPort = 51830
	// encryptedMTU is what WireGuard leaves pods of the way's: docs/designs/stretch.md.
	encryptedMTU = MTU - 130
)

// road is two sides with an edge each, and a pod on each side's worker.
type road struct {
	*World
	t     testing.TB
	edges []*edge
	pods  []*Pod
}

// startRoad has tunnels start and end at the edges' addresses, or inside WireGuard.
func startRoad(t testing.TB, encrypted bool) *road {
	t.Helper()
	r := &road{World: Start(t, 1, 1), t: t}
	ends := []netip.Addr{r.Sides[0].Edges[0].WAN, r.Sides[1].Edges[0].WAN}
	if encrypted {
		r.encrypt()
		ends = []netip.Addr{wireguard.Inside(ends[0]), wireguard.Inside(ends[1])}
	}
	for i, side := range r.Sides {
		r.edges = append(r.edges, startEdge(t, side.Edges[0], ends[i], ends[1-i]))
		side.Network(red)
		side.EdgePort(red, side.Edges[0])
		r.pods = append(r.pods, side.Pod(side.Worker, red, mac(i), addresses(i)...))
	}
	for i, e := range r.edges {
		e.write(network{name: red, vni: 5001, rate: 10_000, peers: []netip.Addr{ends[1-i]}})
	}
	return r
}

// encrypt gives both edges the kernel's device.
func (r *road) encrypt() {
	r.t.Helper()
	var keys []wireguard.PrivateKey
	for range r.Sides {
		key, err := wireguard.GeneratePrivate()
		if err != nil {
			r.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for i, side := range r.Sides {
		node, other := side.Edges[0], r.Sides[1-i].Edges[0]
		c := wireguard.Config{
			PrivateKey: keys[i], Local: node.WAN, Port: wireGuardPort, MTU: MTU,
			Peers: []wireguard.Peer{{Endpoint: other.WAN, Keys: []wireguard.Key{keys[1-i].Public()}}},
		}
		device := wireguard.New(logr.Discard())
		nstest.Do(r.t, node.NetNS, func() error {
			return errors.Join(device.Bring(r.t.Context(), c), device.Address(r.t.Context(), c))
		})
		if !device.Kernel() {
			r.t.Fatal("WireGuard is not the kernel's")
		}
	}
}

// reach has both pods reach each other.
func (r *road) reach() {
	r.t.Helper()
	r.pods[0].Reaches(r.pods[1])
	r.pods[1].Reaches(r.pods[0])
}

// TestEncrypted is what edges do with encryption where datapath and WireGuard are the
// kernel's: whoever sees what goes between them sees WireGuard alone, and what the MTU leaves
// passes to the byte.
func TestEncrypted(t *testing.T) {
	const pattern = "l2sm secret"
	r := startRoad(t, true)
	r.reach()
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
	r.setMTU()
	t.Logf("by TCP: %.1f Mbit/s", r.pods[0].Transfer(r.pods[1]))
	mu.Lock()
	defer mu.Unlock()
	if seen["words"] != 0 || seen["other IPv4"] != 0 || seen["WireGuard"] == 0 {
		t.Errorf("an outsider sees %v, want WireGuard alone", seen)
	}
	t.Logf("an outsider sees %v", seen)
}

// setMTU gives the pods the MTU that is left.
func (r *road) setMTU() {
	r.t.Helper()
	for _, p := range r.pods {
		nstest.Do(r.t, p.NetNS, exec.Command("ip", "link", "set", "net1", "mtu", fmt.Sprint(encryptedMTU)).Run)
	}
}
