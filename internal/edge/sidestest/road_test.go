//go:build integration && kernel

package sidestest_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"

	. "l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/openflow"
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
	// ends are the addresses of their tunnels, nobody is one of a peer that is not there.
	ends   []netip.Addr
	nobody netip.Addr
	pods   []*Pod
}

// startRoad has tunnels start and end at the edges' addresses, or inside WireGuard.
func startRoad(t testing.TB, encrypted bool) *road {
	t.Helper()
	r := &road{World: Start(t, 1, 1), t: t}
	r.ends, r.nobody = []netip.Addr{r.Sides[0].Edges[0].WAN, r.Sides[1].Edges[0].WAN}, netip.MustParseAddr("10.215.0.99")
	if encrypted {
		r.encrypt()
		r.ends, r.nobody = []netip.Addr{wireguard.Inside(r.ends[0]), wireguard.Inside(r.ends[1])}, wireguard.Inside(r.nobody)
	}
	for i, side := range r.Sides {
		r.edges = append(r.edges, startEdge(t, side.Edges[0], r.ends[i], r.ends[1-i], r.nobody))
		side.Network(red)
		side.EdgePort(red, side.Edges[0])
		r.pods = append(r.pods, side.Pod(side.Worker, red, mac(i), addresses(i)...))
	}
	// While no MAC address is known OVN's answers to ARP go to two peers, each with a meter.
	r.write(0)
	r.write(1)
	r.reach()
	r.write(0, r.pods[1])
	r.write(1, r.pods[0])
	return r
}

// write writes the flows of an edge, which knows the MAC addresses of some pods of the other
// side.
func (r *road) write(i int, others ...*Pod) {
	r.t.Helper()
	n := network{name: red, vni: 5001, rate: 10_000, peers: []netip.Addr{r.ends[1-i], r.nobody}, macs: map[openflow.MAC]netip.Addr{}}
	for _, p := range others {
		n.macs[openflow.MAC(p.MAC)] = r.ends[1-i]
	}
	r.edges[i].write(n)
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

// setMTU gives the pods the MTU that is left with encryption.
func setMTU(t testing.TB, pods ...*Pod) {
	t.Helper()
	for _, p := range pods {
		nstest.Do(t, p.NetNS, exec.Command("ip", "link", "set", "net1", "mtu", fmt.Sprint(encryptedMTU)).Run)
	}
}
