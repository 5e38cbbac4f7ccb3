//go:build integration

package edge_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/evpn/frrtest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// fabric is the L2Peer of an EVPN fabric with one speaker.
func (c *cluster) fabric(name string, speaker netip.Addr) {
	c.t.Helper()
	p := &v1alpha1.L2Peer{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Type, p.Spec.ASN, p.Spec.VNIs = v1alpha1.PeerFabric, asn, []v1alpha1.VNIRange{{First: 5000, Last: 5099}}
	p.Spec.Endpoints = []v1alpha1.PeerEndpoint{{Address: speaker.String()}}
	p.Spec.VTEPs = []string{sidestest.WAN4.String(), sidestest.WAN6.String()}
	c.create(p)
}

// conf is a configuration of docs/evpn.md with the world's addresses.
func conf(t *testing.T, name string, speaker, first, second netip.Addr) string {
	return frrtest.Conf(t, name, "192.0.2.9", speaker.String(), "192.0.2.1", first.String(), "192.0.2.2", second.String(),
		"192.0.2.0/24", netip.PrefixFrom(speaker, 24).Masked().String())
}

// FRR with a kernel bridge and a VXLAN device is the other side: a host behind it and a pod
// are on one Ethernet segment.
func TestFRRAsVTEP(t *testing.T) {
	w := start(t, 1)
	a := w.clusters[0]
	frr := w.Stranger()
	frrtest.Bridge(t, frr.NetNS, frr.Addr.String(), 5001)
	host := behind(t, frr, "br5001", "0a:58:0a:32:00:99", "10.50.0.153/24", "fd50::99/64")
	shown := frrtest.VTEP(t, frr.NetNS, frr.Addr.String(), conf(t, "vtep", frr.Addr, a.Edges[0].WAN, netip.MustParseAddr("10.215.0.250")))
	a.fabric("frr", frr.Addr)
	a.network("red", 5001, "frr")
	a.bindTo(a.Edges[0])
	pod := a.pod("red", "pod", "0a:58:0a:32:00:01", "10.50.0.1/24", "fd50::1/64")
	a.talks(pod, host)
	// Switches may leave out who says another MTU than they have: fabrics are told none.
	if told := shown.Show("show bgp l2vpn evpn route type multicast"); strings.Contains(told, "UNK") || !strings.Contains(told, "RT:65000:5001") {
		t.Errorf("FRR is told more than it knows of: %s", told)
	}
	if t.Failed() {
		t.Log(shown.Show("show bgp l2vpn evpn"))
	}

	meters := func() int { return strings.Count(a.Edges[0].Ofctl("dump-meters", "br-edge"), "meter=") }
	if n := meters(); n != 2 {
		t.Errorf("a network with one VTEP has %d meters, want what it floods and what is flooded to it", n)
	}
	frrtest.In(t, frr.NetNS, "ip link del vx5001")
	a.eventually(func(g gomega.Gomega) { g.Expect(meters()).To(gomega.BeZero(), "meters of VTEPs that have left") })
}

// A fabric's tunnels may be IPv6: the kernel's VXLAN device of Linux is the other end, as in
// TestFRRAsVTEP, with another speaker, since FRR before 10.6 has no such VTEP.
func TestFabricOverIPv6(t *testing.T) {
	w := startOver(t, sidestest.WAN6, 1)
	a := w.clusters[0]
	vtep := w.Stranger()
	frrtest.Bridge(t, vtep.NetNS, vtep.Addr.String(), 5001)
	frrtest.In(t, vtep.NetNS, "bridge fdb append 00:00:00:00:00:00 dev vx5001 dst "+a.Edges[0].WAN.String())
	host := behind(t, vtep, "br5001", "02:00:00:00:00:00", "10.50.0.153/24", "fd50::99/64") // the first MAC address that is announced
	announce(t, vtep, a.Edges[0], 1)
	a.fabric("fabric", vtep.Addr)
	a.network("red", 5001, "fabric")
	a.bindTo(a.Edges[0])
	pod := a.pod("red", "pod", "0a:58:0a:32:00:01", "10.50.0.1/24", "fd50::1/64")
	a.talks(pod, host)
	a.eventually(func(g gomega.Gomega) {
		flows := a.Edges[0].Ofctl("dump-flows", "br-edge")
		g.Expect(flows).To(gomega.MatchRegexp(`tun_id=0x1389,dl_dst=02:00:00:00:00:00 actions=.*` + vtep.Addr.String()))
		g.Expect(flows).To(gomega.ContainSubstring("tun_ipv6_src=" + vtep.Addr.String()))
	})
	// The kernel's end adds as much: no more passes.
	a.eventually(func(g gomega.Gomega) {
		g.Expect(pod.Ping(netip.MustParseAddr("10.50.0.153"), "-M", "do", "-s", fmt.Sprint(sidestest.MTU-ways["IPv6"].plain-28))).To(gomega.Succeed())
	})
}

// FRR as a reflector passes between two clusters that have no session with each other.
func TestFRRAsReflector(t *testing.T) {
	w := start(t, 1, 1)
	a, b := w.clusters[0], w.clusters[1]
	rr := w.Stranger()
	frrtest.Reflector(t, rr.NetNS, rr.Addr.String(), conf(t, "reflector", rr.Addr, a.Edges[0].WAN, b.Edges[0].WAN))
	var pods []*sidestest.Pod
	for i, c := range w.clusters {
		c.fabric("rr", rr.Addr)
		c.network("red", 5001, "rr")
		c.bindTo(c.Edges[0])
		pods = append(pods, c.pod("red", "pod", fmt.Sprintf("0a:58:0a:32:00:0%d", i+1), fmt.Sprintf("10.50.0.%d/24", i+1), fmt.Sprintf("fd50::%d/64", i+1)))
	}
	pods[0].Reaches(pods[1])
	pods[1].Reaches(pods[0])
}

// behind is a host on a bridge of the namespace.
func behind(t *testing.T, s *sidestest.Stranger, bridge, mac string, addresses ...string) (netns string) {
	t.Helper()
	netns = nstest.NewNS(t)
	for _, line := range []string{
		"ip link add h0 type veth peer name eth0 netns " + netns, "ip link set h0 master " + bridge + " up",
	} {
		frrtest.In(t, s.NetNS, line)
	}
	for _, line := range []string{"ip link set eth0 address " + mac + " mtu 1442", "ip link set eth0 up", "ethtool -K eth0 tx off"} {
		frrtest.In(t, netns, line)
	}
	for _, a := range addresses {
		line := "ip addr add " + a + " dev eth0"
		if netip.MustParsePrefix(a).Addr().Is6() {
			line += " nodad"
		}
		frrtest.In(t, netns, line)
	}
	return netns
}

func ping(t testing.TB, netns string, to netip.Addr) error {
	var err error
	nstest.Do(t, netns, func() error {
		err = exec.Command("ping", "-c1", "-W1", "-n", to.String()).Run()
		return nil
	})
	return err
}

// talks waits until the pod and the host behind a VTEP reach each other.
func (c *cluster) talks(pod *sidestest.Pod, host string) {
	c.t.Helper()
	for _, to := range []string{"10.50.0.153", "fd50::99"} {
		c.eventually(func(g gomega.Gomega) { g.Expect(pod.Ping(netip.MustParseAddr(to))).To(gomega.Succeed()) })
	}
	for _, to := range pod.Addresses {
		c.eventually(func(g gomega.Gomega) { g.Expect(ping(c.t, host, to)).To(gomega.Succeed()) })
	}
}
