package sidestest

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

// Pod is a network namespace with an interface net1 on a network.
type Pod struct {
	Node *Node
	// Port is the logical switch port's name.
	Port  string
	NetNS string
	MAC   net.HardwareAddr
	// Addresses are its own, of any family.
	Addresses []netip.Addr
}

// device is the interface's name in the pod.
const device = "net1"

var pods atomic.Int32

// Pod wires a pod of the node to the network of the side, as the agent does, with port
// security MAC: Strict lets IP and ARP pass only, and none of the tests' own frames. It returns when OVN forwards for it. Addresses are with the lengths of
// their prefixes, as 10.50.0.1/24.
func (s *Side) Pod(node *Node, network, mac string, addresses ...string) *Pod {
	s.world.t.Helper()
	return s.pod(node, network, mac, true, addresses)
}

// OpenPod is Pod with port security Disabled: it may send from any address.
func (s *Side) OpenPod(node *Node, network, mac string, addresses ...string) *Pod {
	s.world.t.Helper()
	return s.pod(node, network, mac, false, addresses)
}

func (s *Side) pod(node *Node, network, mac string, secured bool, addresses []string) *Pod {
	t := s.world.t
	t.Helper()
	host := fmt.Sprintf("pod%d", pods.Add(1))
	p := &Pod{Node: node, Port: "l2sm/" + network + "/" + host, NetNS: nstest.NewNS(t)}
	var err error
	if p.MAC, err = net.ParseMAC(mac); err != nil {
		t.Fatal(err)
	}
	want := link.Interface{Name: device, MAC: p.MAC, MTU: PodMTU}
	own := mac
	for _, text := range addresses {
		prefix := netip.MustParsePrefix(text)
		want.Addresses, p.Addresses = append(want.Addresses, prefix), append(p.Addresses, prefix.Addr())
		own += " " + prefix.Addr().String()
	}
	lsp := []string{"lsp-add", "l2sm/" + network, p.Port, "--", "lsp-set-addresses", p.Port, own}
	if secured {
		lsp = append(lsp, "--", "lsp-set-port-security", p.Port, mac)
	} else {
		lsp = append(lsp, "unknown")
	}
	s.NB(lsp...)
	end := link.HostEnd{Name: host, Owner: link.NewOwner(host, device, "l2sm")}
	nstest.Do(t, node.NetNS, func() error { return link.New("/proc/sys").Create(end, p.NetNS, want, ovstest.HostEnds()) })
	node.Ctl("add-port", "br-int", host, "--", "set", "Interface", host, "external_ids:iface-id="+p.Port)
	gomega.NewWithT(t).Eventually(func() string { return node.Ctl("get", "Interface", host, "external_ids") }, patience, "20ms").
		Should(gomega.ContainSubstring(`ovn-installed="true"`))
	return p
}

// V4 is the pod's IPv4 address, V6 its IPv6 address; invalid where it has none.
func (p *Pod) V4() netip.Addr { return p.first(netip.Addr.Is4) }

// V6 is the pod's IPv6 address.
func (p *Pod) V6() netip.Addr { return p.first(netip.Addr.Is6) }

func (p *Pod) first(is func(netip.Addr) bool) netip.Addr {
	for _, a := range p.Addresses {
		if is(a) {
			return a
		}
	}
	return netip.Addr{}
}

// Ping returns why no answer to one ping arrives within a second. Options are ping's.
func (p *Pod) Ping(to netip.Addr, options ...string) error {
	cmd := exec.Command("ping", append([]string{"-c1", "-W1", "-n", to.String()}, options...)...)
	var out []byte
	var err error
	nstest.Do(p.Node.Side.world.t, p.NetNS, func() error {
		out, err = cmd.CombinedOutput()
		return nil
	})
	if err != nil {
		return fmt.Errorf("ping %s from %s: %w: %s", to, p.Port, err, strings.TrimSpace(string(bytes.TrimPrefix(out, []byte("PING")))))
	}
	return nil
}

// Reaches fails the test unless the pod reaches the other by all addresses within a while.
func (p *Pod) Reaches(other *Pod) {
	t := p.Node.Side.world.t
	t.Helper()
	for _, address := range other.Addresses {
		gomega.NewWithT(t).Eventually(func() error { return p.Ping(address) }, patience, "10ms").Should(gomega.Succeed())
	}
}
