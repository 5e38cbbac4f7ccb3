//go:build integration

package sidestest_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/openflow"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/internal/wake"
)

func TestMain(m *testing.M) { nstest.Main(m, ovstest.Unpack) }

var patience = nstest.Patience(20 * time.Second)

// edge is what l2sm-edge will be: here its flows are made by hand.
type edge struct {
	*sidestest.Node
	t      testing.TB
	bridge *edgebridge.Bridge
	flows  *openflow.Conn

	mu       sync.Mutex
	changed  wake.Signal
	tunnels  map[netip.Addr]edgebridge.Tunnel
	networks map[string]uint32
}

func (e *edge) Tunnel(endpoint netip.Addr, is edgebridge.Tunnel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tunnels[endpoint] = is
	e.changed.Raise()
}

func (e *edge) Network(name string, port uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks[name] = port
	e.changed.Raise()
}

func (e *edge) Synced() {}

// startEdge has the node be an edge with tunnels from the address to the peers and to
// fabrics.
func startEdge(t testing.TB, node *sidestest.Node, local netip.Addr, peers ...netip.Addr) *edge {
	t.Helper()
	e := &edge{Node: node, t: t, tunnels: map[netip.Addr]edgebridge.Tunnel{}, networks: map[string]uint32{}}
	var err error
	if e.bridge, err = edgebridge.New(node.Endpoint(), logr.Discard(), e); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.bridge.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	g := gomega.NewWithT(t)
	config := edgebridge.Config{Local: local, Peers: peers, Fabric: true}
	g.Eventually(func() error { return e.bridge.Want(ctx, config) }, patience, "5ms").Should(gomega.Succeed())
	g.Eventually(func() (err error) {
		e.flows, err = openflow.Dial(ctx, node.Management(), logr.Discard())
		return err
	}, patience, "5ms").Should(gomega.Succeed())
	t.Cleanup(e.flows.Close)
	for _, peer := range append(peers, netip.Addr{}) {
		e.until(func() bool { return e.tunnels[peer].Port != 0 })
	}
	return e
}

// until waits for what the bridge tells.
func (e *edge) until(is func() bool) {
	e.t.Helper()
	late := time.After(patience)
	for {
		changed := e.changed.Next()
		e.mu.Lock()
		done := is()
		e.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			e.t.Fatalf("edge %s: tunnels %v, networks %v", e.Name, e.tunnels, e.networks)
		}
	}
}

// port is the number of the network's port, once there is one.
func (e *edge) port(network string) openflow.Output {
	e.t.Helper()
	var port uint32
	e.until(func() bool { port = e.networks[network]; return port != 0 })
	return openflow.Output(port)
}

func (e *edge) tunnel(peer netip.Addr) uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tunnels[peer].Port
}

// network is what the edge knows of one.
type network struct {
	name string
	vni  uint32
	// peers are the other sides' edges that announce it; macs are behind which of them.
	peers []netip.Addr
	macs  map[openflow.MAC]netip.Addr
	// vteps are a fabric's that announce it.
	vteps []netip.Addr
	// rate is how many flooded frames a second go to a peer and come from it.
	rate uint32
}

// meter is the network's first, of what floods in, or that of what floods to its nth peer or
// VTEP.
func meter(vni uint32, n uint32) openflow.Police { return openflow.Police(100*vni + n) }

// write writes the network's flows, as the table in docs/designs/stretch.md says.
func (e *edge) write(n network) {
	e.t.Helper()
	port := e.port(n.name)
	const first, flooded = 100, 110
	var changes []openflow.Change
	meters := meter(n.vni, 0)
	police := func() openflow.Police {
		changes = append(changes, openflow.PutMeter{ID: uint32(meters), Rate: n.rate})
		meters++
		return meters - 1
	}
	in := police()
	put := func(key openflow.Key, next uint8, actions ...openflow.Action) {
		changes = append(changes, openflow.PutFlow{Cookie: uint64(n.vni), Flow: openflow.Flow{Key: key, Next: next, Actions: actions}})
	}
	put(openflow.Key{Priority: first, Match: openflow.Match{InPort: uint32(port)}}, 1, openflow.SetTunnelID(n.vni))
	var flood []openflow.Action
	accept := func(m openflow.Match) {
		m.TunnelID = n.vni
		put(openflow.Key{Priority: first, Match: m}, 0, port)
		m.Flooded = true
		put(openflow.Key{Priority: flooded, Match: m}, 0, in, openflow.Settle{}, port)
	}
	for _, peer := range n.peers {
		accept(openflow.Match{InPort: e.tunnel(peer)})
		flood = append(flood, openflow.Apart{police(), openflow.Output(e.tunnel(peer))})
	}
	shared := e.tunnel(netip.Addr{})
	for _, vtep := range n.vteps {
		accept(openflow.Match{InPort: shared, TunnelSource: vtep})
		flood = append(flood, openflow.Apart{police(), openflow.SetTunnelDestination(vtep), openflow.Output(shared)})
	}
	put(openflow.Key{Table: 1, Priority: 10, Match: openflow.Match{TunnelID: n.vni}}, 0, flood...)
	for mac, peer := range n.macs {
		put(openflow.Key{Table: 1, Priority: 20, Match: openflow.Match{TunnelID: n.vni, Destination: mac}}, 0, openflow.Output(e.tunnel(peer)))
	}
	if err := e.flows.Apply(e.t.Context(), changes); err != nil {
		e.t.Fatal(err)
	}
}
