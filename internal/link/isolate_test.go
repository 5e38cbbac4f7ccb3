//go:build integration

package link

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/link/nstest"
)

// careless are a node's defaults, as routers and some distributions have them: each lets the stack do on new interfaces
// what it must not do on a host end.
var careless = map[string]string{
	"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
	"ipv4/conf/all/forwarding": "1", "ipv4/conf/default/forwarding": "1",
	"ipv4/conf/default/proxy_arp": "1", "ipv4/conf/default/arp_ignore": "0", "ipv4/conf/default/accept_local": "1",
	"ipv6/conf/all/forwarding": "1", "ipv6/conf/default/disable_ipv6": "0", "ipv6/conf/default/accept_ra": "2",
}

// A pod that knows the host end's MAC sends to the node's addresses and to what is behind the node, before OVS holds the
// host end or when it does no more. Nothing of it arrives, whatever the node's defaults are.
func TestHostEndIsDeaf(t *testing.T) {
	for key, value := range careless {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	behind := nstest.NewNS(t)
	route(t, behind)
	node, other := listen(t), net.PacketConn(nil)
	nstest.Do(t, behind, func() error {
		other = listen(t)
		return nil
	})
	for name, datapath := range map[string]Datapath{"Kernel": Kernel, "Userspace": Userspace} {
		t.Run(name, func(t *testing.T) {
			l, pod := New("/proc/sys"), nstest.NewNS(t)
			create(t, l, pod, datapath)
			end, err := netlink.LinkByName(host.Name)
			if err != nil {
				t.Fatal(err)
			}
			if answersARP(t, pod) {
				t.Error("the node's stack answers ARP on its host end")
			}
			if err := inNamespace(pod, func() error { return knowRouter(end.Attrs().HardwareAddr) }); err != nil {
				t.Fatal(err)
			}
			for what, to := range map[string]struct {
				address string
				heard   net.PacketConn
			}{
				"the node":          {"10.101.0.99:9", node},
				"the node, by IPv6": {"[fd10:101::99]:9", node},
				"what is behind it": {"192.0.2.2:9", other},
			} {
				if err := inNamespace(pod, func() error { return sendDatagram(to.address) }); err != nil {
					t.Fatal(err)
				}
				if hears(t, to.heard) {
					t.Errorf("%s hears what a pod sends to the host end", what)
				}
			}
			if addrs, err := netlink.AddrList(end, netlink.FAMILY_ALL); err != nil || len(addrs) > 0 {
				t.Errorf("the host end has addresses %v (%v), want none", addrs, err)
			}
		})
	}
}

func listen(t *testing.T) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", ":9")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func sendDatagram(to string) error {
	conn, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("x"))
	return err
}

// hears says whether something arrives. A veth pair delivers while it is sent to, and a router forwards at once.
func hears(t *testing.T, conn net.PacketConn) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, _, err := conn.ReadFrom(make([]byte, 16))
	return err == nil
}

// route makes the node a router between the pod's network and another, which knows the way back.
func route(t *testing.T, behind string) {
	t.Helper()
	shell := func(script string) {
		t.Helper()
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	shell(`link add behind type veth peer name eth0 netns ` + behind + `
address add 192.0.2.1/24 dev behind
address add 10.101.0.99/32 dev lo
address add fd10:101::99/128 dev lo
link set behind up
`)
	nstest.Do(t, behind, func() error {
		shell("address add 192.0.2.2/24 dev eth0\nlink set eth0 up\nroute add default via 192.0.2.1\n")
		return nil
	})
}

// knowRouter gives the pod the host end as its router, by hand.
func knowRouter(mac net.HardwareAddr) error {
	inner, err := netlink.LinkByName("net1")
	if err != nil {
		return err
	}
	for _, ip := range []string{"10.101.0.99", "fd10:101::99", "10.101.0.1"} {
		if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: inner.Attrs().Index, IP: net.ParseIP(ip), HardwareAddr: mac, State: netlink.NUD_PERMANENT}); err != nil {
			return err
		}
	}
	other := ipNet(netip.MustParsePrefix("192.0.2.0/24"))
	return netlink.RouteAdd(&netlink.Route{LinkIndex: inner.Attrs().Index, Dst: other, Gw: net.ParseIP("10.101.0.1")})
}
