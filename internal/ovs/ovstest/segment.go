package ovstest

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

// Segment is an Ethernet segment that nodes are on: a bridge of the kernel's.
type Segment struct {
	t      testing.TB
	bridge *netlink.Bridge
	prefix netip.Prefix

	mu   sync.Mutex
	last netip.Addr
}

// veths counts those of all segments: the kernel takes one away some time after its
// network namespace, and the next needs another name.
var veths struct {
	sync.Mutex
	last int
}

// NewSegment makes a segment that ends with the test. Its members have addresses of the
// prefix, in their order.
func NewSegment(t testing.TB, name string, prefix netip.Prefix, mtu int) *Segment {
	t.Helper()
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: mtu, TxQLen: -1}}
	if err := netlink.LinkAdd(bridge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(bridge) })
	if err := netlink.LinkSetUp(bridge); err != nil {
		t.Fatal(err)
	}
	return &Segment{t: t, bridge: bridge, prefix: prefix, last: prefix.Addr()}
}

// Name is that of the bridge, on which every frame can be seen.
func (s *Segment) Name() string { return s.bridge.Name }

// Index is that of the bridge.
func (s *Segment) Index() int { return s.bridge.Index }

// Member is an interface on a segment.
type Member struct {
	segment *Segment
	// Addr is the address that its node has there: set on nothing by Join.
	Addr   netip.Addr
	netns  string
	device string
	veth   string // its end on the segment
}

// Join gives a network namespace an interface on the segment.
func (s *Segment) Join(netns, device string) *Member {
	s.t.Helper()
	s.mu.Lock()
	s.last = s.last.Next()
	m := &Member{segment: s, Addr: s.last, netns: netns, device: device}
	s.mu.Unlock()
	veths.Lock()
	veths.last++
	m.veth = fmt.Sprintf("zone%d", veths.last)
	veths.Unlock()
	into, err := os.Open(netns)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = into.Close() }()
	veth := netlink.NewVeth(netlink.LinkAttrs{Name: m.veth, MTU: s.bridge.MTU, TxQLen: -1, MasterIndex: s.bridge.Index})
	veth.PeerName, veth.PeerNamespace = device, netlink.NsFd(into.Fd())
	if err := netlink.LinkAdd(veth); err != nil {
		s.t.Fatal(err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		s.t.Fatal(err)
	}
	up(s.t, netns, device)
	return m
}

// Own gives the interface its address: the member's node is the kernel's.
func (m *Member) Own() {
	m.segment.t.Helper()
	up(m.segment.t, m.netns, m.device, m.prefixed())
	m.compute(m.device)
}

// Tunnels has Open vSwitch's tunnels reach the interface: those of the kernel's datapath start at its
// own address.
func (m *Member) Tunnels(o *OVS, bridge string) {
	m.segment.t.Helper()
	if Datapath() == Userspace {
		m.Bridge(o, bridge)
		return
	}
	m.Own()
}

// Bridge has packets of the userspace datapath reach the interface: its tunnels leave
// by a bridge of its own that has the address.
func (m *Member) Bridge(o *OVS, name string) {
	t := m.segment.t
	t.Helper()
	four := m.Addr.AsSlice()
	o.Ctl("add-br", name, "--", "set", "bridge", name, "datapath_type="+Userspace, "fail_mode=standalone",
		fmt.Sprintf("other-config:hwaddr=02:f0:%02x:%02x:%02x:%02x", four[len(four)-4], four[len(four)-3], four[len(four)-2], four[len(four)-1]),
		"--", "add-port", name, m.device)
	up(t, m.netns, name, m.prefixed())
	m.compute(m.device, name)
	// The kernel sees what Open vSwitch takes from the interface, too, and would answer that
	// nothing listens there.
	here := place{netns: m.netns}
	here.run(t, "nft", fmt.Sprintf("add table netdev o-%[1]s; add chain netdev o-%[1]s e { type filter hook ingress device %[1]s priority -300; policy drop; }", m.device))
}

// compute has the kernel compute checksums of what it sends by the devices: no hardware
// does, and the userspace datapath drops a packet that lacks one.
func (m *Member) compute(devices ...string) {
	m.segment.t.Helper()
	for _, device := range devices {
		place{netns: m.netns}.run(m.segment.t, "ethtool", "-K", device, "tx", "off")
	}
}

func (m *Member) prefixed() string {
	return netip.PrefixFrom(m.Addr, m.segment.prefix.Bits()).String()
}

// Cut takes the member off the segment: its interface stays up, as on a way that is broken
// elsewhere. The function that it returns brings it back.
func (m *Member) Cut() (mend func()) {
	m.segment.t.Helper()
	set := func(change func(netlink.Link) error) {
		m.segment.t.Helper()
		link, err := netlink.LinkByName(m.veth)
		if err == nil {
			err = change(link)
		}
		if err != nil {
			m.segment.t.Errorf("interface %s of the segment: %v", m.veth, err)
		}
	}
	set(netlink.LinkSetNoMaster)
	return func() {
		set(func(l netlink.Link) error { return netlink.LinkSetMaster(l, m.segment.bridge) })
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
			if address.IP.To4() == nil {
				address.Flags = unix.IFA_F_NODAD // it is nobody else's, and used at once
			}
			if err := netlink.AddrAdd(link, address); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(link)
	})
}
