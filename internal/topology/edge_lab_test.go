//go:build integration

package topology_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

// elsewhere has the lab's network go on behind a bridge of its own, and returns a host
// on that: its MAC address and addresses are in no database.
func (l *lab) elsewhere(t *testing.T) endpoint {
	t.Helper()
	l.Ctl("--may-exist", "add-br", "br-edge", "--", "set", "bridge", "br-edge", "datapath_type="+ovstest.Datapath(),
		"--", "set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings="+v1alpha1.EdgeNetworkName+":br-edge")
	l.network.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: "test"}
	l.apply(t)
	patch := "patch-" + v1alpha1.PortOf(v1alpha1.EdgeOf(l.network.Key())) + "-to-br-int"
	gomega.NewWithT(t).Eventually(func() string { return l.Ctl("list-ports", "br-edge") }, patience, "20ms").Should(gomega.ContainSubstring(patch))
	e := endpoint{
		ns: nstest.NewNS(t), mac: net.HardwareAddr{0x0a, 0x58, 10, 9, 9, 99}, v4: netip.MustParseAddr("10.0.0.99"), v6: netip.MustParseAddr("fd10::99"),
	}
	links, end := link.New("/proc/sys"), link.HostEnd{Name: "outside", Owner: link.NewOwner("outside", "net1", "l2sm")}
	want := link.Interface{Name: "net1", MAC: e.mac, MTU: 1442, AcceptRA: true, Routes: true, Addresses: []netip.Prefix{netip.PrefixFrom(e.v4, 24), netip.PrefixFrom(e.v6, 64)}}
	if err := links.Create(end, e.ns, want, ovstest.HostEnds()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = links.Delete(end.Name) })
	l.Ctl("add-port", "br-edge", end.Name)
	return e
}

// reaches says whether two hosts find each other's address and talk: nobody listens, and
// the other's kernel says so.
func reaches(t *testing.T, from endpoint, to netip.Addr) bool {
	t.Helper()
	refused := false
	nstest.Do(t, from.ns, func() error {
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(to, 9).String(), 3*time.Second)
		if err == nil {
			return c.Close()
		}
		refused = errors.Is(err, syscall.ECONNREFUSED)
		return nil
	})
	return refused
}

// Behind the edge's port hosts are found that no database knows, whatever the network
// holds its own ports to: what pods ask for is flooded there, and OVN learns nothing.
func TestElsewhere(t *testing.T) {
	for column, security := range columns {
		t.Run(string(security), func(t *testing.T) {
			l := start(t).lab(t, v1alpha1.L2NetworkSpec{IPAM: dual, PortSecurity: security})
			pod, other := l.pod(t, 1), l.pod(t, 2)
			host := l.elsewhere(t)
			// OVN 23.03 drops what pods answer to neighbour solicitations there (asOf2303).
			mute := strings.Contains(l.Version(), " 23.03") && security == v1alpha1.PortSecurityMAC
			for name, way := range map[string][2]endpoint{"out": {pod, host}, "in": {host, pod}, "beside": {pod, other}} {
				eventually(t, func() bool { return reaches(t, way[0], way[1].v4) }, name+", by IPv4")
				eventually(t, func() bool { return mute || reaches(t, way[0], way[1].v6) }, name+", by IPv6")
			}
			inside, outside := listen(t, pod), listen(t, host)
			for _, c := range []struct {
				sends string
				heard *ear
				from  endpoint
				frame []byte
				want  [3]string // by column
			}{
				{"a pod to a MAC address that nobody knows", outside, pod, to(net.HardwareAddr{2, 1, 2, 3, 4, 5}, ipv4(pod.mac, pod.v4, host.v4, 17, udp(9, 9))), [3]string{passes, passes, passes}},
				{"a host elsewhere to a pod", inside, host, to(pod.mac, ipv4(host.mac, host.v4, pod.v4, 17, udp(9, 9))), [3]string{passes, passes, passes}},
				{"a host elsewhere to all", inside, host, ether(broadcast, host.mac, 0x88b5, nil), [3]string{passes, passes, passes}},
				{"a router elsewhere", inside, host, routerAdvertisement(host), [3]string{passes, passes, passes}},
				{"a DHCP server elsewhere", inside, host, ipv4(host.mac, host.v4, allHosts4, 17, udp(67, 68)), [3]string{drops, drops, passes}},
				{"a pod, with a VLAN tag", outside, pod, tagged(ipv4(pod.mac, pod.v4, host.v4, 17, udp(9, 9)), 0x8100, 7), [3]string{drops, passes, passes}},
				{"a host elsewhere, with a VLAN tag", inside, host, tagged(ipv4(host.mac, host.v4, pod.v4, 17, udp(9, 9)), 0x8100, 7), [3]string{drops, passes, passes}},
			} {
				got := drops
				if c.heard.arrives(t, c.from, c.frame) {
					got = passes
				}
				if got != c.want[column] {
					t.Errorf("%s: %s, want %s", c.sends, got, c.want[column])
				}
			}
			const many = 300
			for i := range many {
				send(t, host, ether(broadcast, net.HardwareAddr{2, 9, 9, 9, byte(i >> 8), byte(i)}, 0x88b5, nil))
			}
			inside.arrives(t, host, ether(broadcast, host.mac, 0x88b7, nil))
			l.NB("--wait=hv", "sync")
			if learned := strings.Count(l.SB("--bare", "--columns=mac", "list", "FDB"), "02:09:09:09"); learned > 0 {
				t.Errorf("OVN has learned %d MAC addresses of another side", learned)
			}
		})
	}
}

// to is the frame, to one address.
func to(mac net.HardwareAddr, frame []byte) []byte {
	copy(frame, mac)
	return frame
}
