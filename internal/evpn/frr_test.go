//go:build integration

package evpn

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/evpn/frrtest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// wan joins network namespaces: the test's own has 192.0.2.1 and 192.0.2.2, the returned
// one 192.0.2.9.
func wan(t *testing.T) (frr string) {
	t.Helper()
	frr = nstest.NewNS(t)
	const here = "/proc/self/ns/net"
	frrtest.In(t, here, "ip link add wan type veth peer name eth0 netns "+frr)
	t.Cleanup(func() { frrtest.In(t, here, "ip link del wan") })
	for _, line := range []string{"ip link set wan up", "ip addr add 192.0.2.1/24 dev wan", "ip addr add 192.0.2.2/24 dev wan"} {
		frrtest.In(t, here, line)
	}
	for _, line := range []string{"ip link set eth0 up", "ip addr add 192.0.2.9/24 dev eth0"} {
		frrtest.In(t, frr, line)
	}
	return frr
}

// edge starts a speaker on a real port that peers with FRR.
func edge(t *testing.T, address string) (*GoBGP, *recorder) {
	t.Helper()
	r := newRecorder()
	s, err := NewSpeaker(t.Context(), Config{Address: netip.MustParseAddr(address), ASN: testASN}, r, logr.Discard())
	must(t, err)
	t.Cleanup(s.Close)
	return s, r
}

var frrAddress = netip.MustParseAddr("192.0.2.9")

// FRR as a reflector passes routes of both types, and MAC mobility.
func TestReflector(t *testing.T) {
	ctx := t.Context()
	f := frrtest.Reflector(t, wan(t), "192.0.2.9", frrtest.Conf(t, "reflector"))
	east, eastSaw := edge(t, "192.0.2.1")
	west, westSaw := edge(t, "192.0.2.2")
	fabric := peersOf(map[string]string{"fabric": "192.0.2.9"})
	fabric[0].Fabric = true
	must(t, east.SetPeers(ctx, fabric), west.SetPeers(ctx, fabric))
	must(t,
		east.Announce(ctx, Route{RouteKey: RouteKey{Kind: Multicast, VNI: 5001}}, []string{"fabric"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "10.0.0.1")}, []string{"fabric"}),
	)
	eventually(t, westSaw.of(frrAddress)).Should(gomega.Equal([]string{
		"5001 02:00:00:00:00:01 10.0.0.1 seq 0 via 192.0.2.1", "5001 via 192.0.2.1",
	}))
	// The MAC address moves.
	must(t, west.Announce(ctx, Route{RouteKey: macIP(5001, 1, "10.0.0.1"), Sequence: 1}, []string{"fabric"}))
	eventually(t, eastSaw.of(frrAddress)).Should(gomega.Equal([]string{"5001 02:00:00:00:00:01 10.0.0.1 seq 1 via 192.0.2.2"}))
	must(t, east.Withdraw(ctx, macIP(5001, 1, "10.0.0.1")))
	eventually(t, westSaw.of(frrAddress)).Should(gomega.Equal([]string{"5001 via 192.0.2.1"}))
	if s := f.Show("show bgp l2vpn evpn"); !strings.Contains(s, "RT:65000:5001 ET:8 MM:1") {
		t.Errorf("FRR does not read our route as route target, VXLAN and mobility: %s", s)
	}
}

// FRR as a VTEP: what its bridge learns comes here, what we announce gets into its
// bridge and its VXLAN device.
func TestVTEP(t *testing.T) {
	ctx := t.Context()
	ns := wan(t)
	frrtest.Bridge(t, ns, "192.0.2.9", 5001)
	f := frrtest.VTEP(t, ns, "192.0.2.9", frrtest.Conf(t, "vtep"))
	east, eastSaw := edge(t, "192.0.2.1")
	fabric := peersOf(map[string]string{"fabric": "192.0.2.9"})
	fabric[0].Fabric = true
	must(t, east.SetPeers(ctx, fabric))
	eventually(t, eastSaw.of(frrAddress)).Should(gomega.Equal([]string{"5001 via 192.0.2.9"}))

	must(t,
		east.Announce(ctx, Route{RouteKey: RouteKey{Kind: Multicast, VNI: 5001}}, []string{"fabric"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "")}, []string{"fabric"}),
	)
	fdb := func() string { return frrtest.In(t, ns, "bridge fdb show dev vx5001") }
	eventually(t, fdb).Should(gomega.MatchRegexp(`02:00:00:00:00:01 dst 192\.0\.2\.1 `))
	eventually(t, fdb).Should(gomega.MatchRegexp(`00:00:00:00:00:00 dst 192\.0\.2\.1 `))

	// FRR's bridge learns a host. Nothing else speaks there.
	frrtest.In(t, ns, "ip link add host type veth peer name inner")
	frrtest.In(t, ns, "sysctl -qw net.ipv6.conf.inner.disable_ipv6=1")
	frrtest.In(t, ns, "ip link set host master br5001 up")
	frrtest.In(t, ns, "ip link set inner up")
	// The kernel refuses what is dynamic before the port forwards.
	eventually(t, func() string { return frrtest.In(t, ns, "bridge link show dev host") }).Should(gomega.ContainSubstring("state forwarding"))
	frrtest.In(t, ns, fmt.Sprintf("bridge fdb add %s dev host master dynamic", mac(2)))
	eventually(t, eastSaw.of(frrAddress)).Should(gomega.Equal([]string{"5001 02:00:00:00:00:02 - seq 0 via 192.0.2.9", "5001 via 192.0.2.9"}))

	// It moves here, with the sequence that the Table says.
	table := NewTable()
	table.SetPeers([]PeerPolicy{{Name: "fabric", Fabric: true, Endpoints: []netip.Addr{frrAddress}, VTEPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}, MaxMACs: 10}})
	table.SetNetwork(5001, []string{"fabric"})
	eastSaw.replay(table)
	if via, ok := table.Follow(5001, mac(2)); !ok || via != (Via{VTEP: frrAddress, Peer: "fabric"}) {
		t.Errorf("the host behind FRR is at %v", via)
	}
	table.SetLocal(5001, mac(2), nil)
	sequence, _ := table.Sequence(5001, mac(2))
	must(t, east.Announce(ctx, Route{RouteKey: macIP(5001, 2, ""), Sequence: sequence}, []string{"fabric"}))
	eventually(t, fdb).Should(gomega.MatchRegexp(`02:00:00:00:00:02 dst 192\.0\.2\.1 `))
	eventually(t, eastSaw.of(frrAddress)).Should(gomega.Equal([]string{"5001 via 192.0.2.9"}))
	if t.Failed() {
		t.Log(f.Show("show bgp l2vpn evpn"))
	}
}

// replay tells a Table what was received.
func (r *recorder) replay(t *Table) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a, routes := range r.routes {
		for _, l := range routes {
			t.Received(a, l, false)
		}
	}
}

// A reflector may die: the edges keep what it passed, and nothing of it goes away when
// it is back.
func TestReflectorRestarts(t *testing.T) {
	ctx := t.Context()
	f := frrtest.Reflector(t, wan(t), "192.0.2.9", frrtest.Conf(t, "reflector"))
	east, _ := edge(t, "192.0.2.1")
	west, westSaw := edge(t, "192.0.2.2")
	fabric := peersOf(map[string]string{"fabric": "192.0.2.9"})
	fabric[0].Fabric = true
	must(t, east.SetPeers(ctx, fabric), west.SetPeers(ctx, fabric))
	must(t, east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "10.0.0.1")}, []string{"fabric"}))
	eventually(t, westSaw.of(frrAddress)).Should(gomega.HaveLen(1))
	f.Kill()
	eventually(t, westSaw.isUp(frrAddress)).Should(gomega.BeFalse())
	if !westSaw.isStale(frrAddress) {
		t.Fatal("its routes are not kept")
	}
	f.StartBGP("192.0.2.9", "-n")
	// It says again what it passed before it says that this is all: between, nothing is
	// dropped.
	eventually(t, func() []string {
		westSaw.mu.Lock()
		defer westSaw.mu.Unlock()
		return slices.Clone(westSaw.order[slices.Index(westSaw.order, "up=false stale=true")+1:])
	}).Should(gomega.Equal([]string{"up=true stale=false", "received", "end"}))
}
