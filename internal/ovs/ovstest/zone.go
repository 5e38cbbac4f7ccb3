package ovstest

import (
	"fmt"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/link/nstest"
)

// underlayMTU leaves pods 1542 bytes.
const underlayMTU = 1600

// Underlay is the Ethernet segment that zones' tunnels cross.
type Underlay struct {
	t      testing.TB
	bridge *netlink.Bridge
	zones  int
}

// veths counts those of all segments: the kernel takes one away some time after its
// network namespace, and the next needs another name.
var veths int

// NewUnderlay makes a segment that ends with the test.
func NewUnderlay(t testing.TB) *Underlay {
	t.Helper()
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "underlay", MTU: underlayMTU, TxQLen: -1}}
	if err := netlink.LinkAdd(bridge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(bridge) })
	if err := netlink.LinkSetUp(bridge); err != nil {
		t.Fatal(err)
	}
	return &Underlay{t: t, bridge: bridge}
}

// Zone is one node with an OVN of its own, northbound and southbound databases
// included, in a network namespace. Its programs are those of the product's image: see
// Unpack.
type Zone struct {
	*OVN
	// Name is that of its chassis, Address its tunnels'.
	Name, Address string
	// NetNS is the path of its network namespace.
	NetNS string
}

// Zone starts a zone on the segment. It ends with the test.
func (u *Underlay) Zone(name string) *Zone {
	u.t.Helper()
	u.zones++
	z := &Zone{Name: name, Address: fmt.Sprintf("10.213.0.%d", u.zones), NetNS: nstest.NewNS(u.t)}
	u.join(z)
	at := place{netns: z.NetNS, root: zoneRoot}
	z.OVN = &OVN{OVS: startEmpty(u.t, at), settings: append(settingsOf(name, z.Address), "external_ids:ovn-is-interconn=true")}
	if Datapath() == Userspace {
		z.bridgeTunnels(u.zones)
	}
	z.start()
	return z
}

// join gives the zone an interface eth1 on the segment.
func (u *Underlay) join(z *Zone) {
	u.t.Helper()
	into, err := os.Open(z.NetNS)
	if err != nil {
		u.t.Fatal(err)
	}
	defer func() { _ = into.Close() }()
	veths++
	veth := netlink.NewVeth(netlink.LinkAttrs{Name: fmt.Sprintf("zone%d", veths), MTU: underlayMTU, TxQLen: -1, MasterIndex: u.bridge.Index})
	veth.PeerName, veth.PeerNamespace = "eth1", netlink.NsFd(into.Fd())
	if err := netlink.LinkAdd(veth); err != nil {
		u.t.Fatal(err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		u.t.Fatal(err)
	}
	up(u.t, z.NetNS, "eth1")
}

// bridgeTunnels has packets of the userspace datapath reach eth1: its tunnels leave
// by a bridge of its own that has the address.
func (z *Zone) bridgeTunnels(number int) {
	z.t.Helper()
	z.Ctl("add-br", "br-tun", "--", "set", "bridge", "br-tun", "datapath_type="+Userspace, "fail_mode=standalone",
		fmt.Sprintf("other-config:hwaddr=02:f0:00:00:00:%02x", number), "--", "add-port", "br-tun", "eth1")
	up(z.t, z.NetNS, "br-tun", z.Address+"/24")
	// The kernel sees what Open vSwitch takes from eth1, too, and would answer that
	// nothing listens there.
	here := place{netns: z.NetNS}
	here.run(z.t, "nft", "add table netdev o; add chain netdev o e { type filter hook ingress device eth1 priority -300; policy drop; }")
	for _, device := range []string{"eth1", "br-tun"} {
		here.run(z.t, "ethtool", "-K", device, "tx", "off")
	}
}

// up sets an interface up, with addresses.
func up(t testing.TB, netns, device string, addresses ...string) {
	t.Helper()
	nstest.Do(t, netns, func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		for _, text := range addresses {
			address, err := netlink.ParseAddr(text)
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(link, address); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(link)
	})
}
