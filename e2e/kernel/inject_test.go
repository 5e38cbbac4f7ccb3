//go:build kernel

package kernel_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/mdlayher/packet"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab/netns"
)

const (
	attacker = "attacker"
	// experimental is an EtherType that is nobody's (IEEE 802, local experimental).
	experimental = 0x88b5
)

// injected sends Geneve to a node's tunnel port, as any pod of the cluster's main network can: the node has its masquerade
// give it the address of a tunnel's end. Nothing may enter a network that way, for what a node sends itself enters.
func (c *chain) injected() {
	c.attach()
	victim := c.listen()
	defer victim.Close()
	to := &net.UDPAddr{IP: net.ParseIP(internalIPs[second][0]), Port: 6081}

	c.send(first, &net.UDPAddr{IP: net.ParseIP(internalIPs[first][0])}, to, "by the node")
	if got := hear(victim); !strings.Contains(got, "by the node") {
		c.Errorf("what the node itself sends does not arrive (%q), so this test would see nothing", got)
	}
	c.send(attacker, nil, to, "by a pod")
	if got := hear(victim); got != "" {
		c.Errorf("a pod of no network injects frames into one: received %q", got)
	}
}

// attach makes a pod of the main network on the first node, which forwards and masquerades for it.
func (c *chain) attach() {
	c.Helper()
	script := `ip netns add attacker
ip link add main type veth peer name eth0 netns attacker
ip address add 10.244.1.1/24 dev main
ip link set main up
ip -n attacker address add 10.244.1.9/24 dev eth0
ip -n attacker link set eth0 up
ip -n attacker route add default via 10.244.1.1
sysctl -qw net.ipv4.ip_forward=1
nft add table ip main
nft add chain ip main out '{ type nat hook postrouting priority srcnat; }'
nft add rule ip main out ip saddr 10.244.0.0/16 snat to ` + internalIPs[first][0]
	if out, err := c.nodes[first].Command(c.Context(), "sh", "-ec", script).CombinedOutput(); err != nil {
		c.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.CommandContext(c.Context(), "ip", "netns", "exec", attacker, "ping", "-c", "1", "-W", "5", internalIPs[second][0]).CombinedOutput(); err != nil {
		c.Fatalf("the pod does not reach the other node: %v: %s", err, out)
	}
}

func (c *chain) listen() *packet.Conn {
	c.Helper()
	var conn *packet.Conn
	err := netns.Do(c.pong.namespace(), func() error {
		link, err := net.InterfaceByName("net1")
		if err != nil {
			return err
		}
		conn, err = packet.Listen(link, packet.Raw, experimental, nil)
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	return conn
}

// send sends frames into every network that there is here, in Geneve with OVN's option.
func (c *chain) send(from string, source, to *net.UDPAddr, text string) {
	c.Helper()
	var networks v1alpha1.L2NetworkList
	if err := c.List(c.Context(), &networks, client.InNamespace(namespace)); err != nil {
		c.Fatal(err)
	}
	err := netns.Do(from, func() error {
		conn, err := net.DialUDP("udp", source, to)
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, n := range networks.Items {
			if _, err := conn.Write(geneve(uint32(n.Status.TunnelKey), text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.Fatal(err)
	}
}

// geneve is a broadcast from port 1 of a network, if there is one, to all (RFC 8926; ovn-architecture(7), "Tunnel Encapsulations").
func geneve(datapath uint32, text string) []byte {
	const everyone = 0x8000
	b := []byte{2, 0x40, 0x65, 0x58} // 8 bytes of options, critical ones; Ethernet
	b = binary.BigEndian.AppendUint32(b, datapath<<8)
	b = append(b, 0x01, 0x02, 0x80, 1) // OVN's class and type, 4 bytes
	b = binary.BigEndian.AppendUint32(b, 1<<16|everyone)
	b = append(b, bytes.Repeat([]byte{0xff}, 6)...)
	b = append(b, 0x02, 0xde, 0xad, 0, 0, 1)
	b = binary.BigEndian.AppendUint16(b, experimental)
	return append(b, append([]byte(text), make([]byte, 60)...)...)
}

// hear is what arrives within a second; nothing where it stays silent.
func hear(conn *packet.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	var all strings.Builder
	frame := make([]byte, 2000)
	for {
		n, _, err := conn.ReadFrom(frame)
		if err != nil {
			return all.String()
		}
		all.Write(bytes.TrimRight(frame[min(14, n):n], "\x00"))
	}
}
