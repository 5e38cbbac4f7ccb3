//go:build integration

package central_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/ovn"
)

// bearable is a gap in a node's traffic while it reads all of a database anew.
var bearable = nstest.Patience(300 * time.Millisecond)

// The southbound database starts empty, and nodes connect to it one by one: the
// first has its tunnel to the other, and their pods talk, also while the other is not
// there. Each finds what it would have written itself.
func TestNodesConnectOneByOne(t *testing.T) {
	for name, programs := range map[string]string{"Product": ovstest.Root(), "Oldest": ""} {
		t.Run(name, func(t *testing.T) { connectOneByOne(t, programs) })
	}
}

func connectOneByOne(t *testing.T, programs string) {
	t.Helper()
	c := prepare(t)
	c.programs = programs
	c.startAll()
	segment := ovstest.NewSegment(t, "underlay", netip.MustParsePrefix("10.216.0.0/24"), 1600)
	a, b := c.node(segment, "node-a"), c.node(segment, "node-b")
	here, there := a.pod(1), b.pod(2)
	missing := port(3, "node-b") // of a pod that is gone
	c.apply(here.Port, there.Port, missing)
	c.known = []ovn.Registration{a.registration(), b.registration()}
	c.fill(c.nodes)
	for _, n := range []*node{a, b} {
		c.eventually(func() bool { return c.connected(n.Name) }, n.Name+" connects")
	}
	stream := sidestest.StreamFrom(t, here.netns, there.address)
	before := c.rows("Encap")

	b.door.shut()
	c.wipe("sb")
	c.eventually(func() bool { return c.connected("node-a") }, "the first node connects to the empty database")
	c.eventually(func() bool { return c.binding(here.Name)["up"] == true }, "its port is up")
	encaps := c.rows("Encap")
	if len(encaps) != len(before) || c.connected("node-b") {
		t.Fatalf("tunnels' ends in the new database: %v; the other node is connected: %t", encaps, c.connected("node-b"))
	}
	NewWithT(t).Consistently(a.tunnels, time.Second, 50*time.Millisecond).Should(HaveLen(1), "tunnels of the first node")

	b.door.open()
	c.eventually(func() bool { return c.connected("node-b") }, "the other connects")
	c.eventually(func() bool { return c.binding(there.Name)["up"] == true }, "its port is up")
	c.eventually(func() bool { return none(c.binding(missing.Name)["chassis"]) }, "it releases the port that it does not have")
	lost := stream.Stop()
	t.Logf("pings: %s", lost)
	if lost.Gap > bearable {
		t.Errorf("traffic between the nodes stopped for %s: %s", lost.Gap, lost)
	}
	if got := fmt.Sprint(c.rows("Encap")); got != fmt.Sprint(encaps) {
		t.Errorf("nodes write other tunnels' ends than are there: %s, want %v", got, encaps)
	}
}

// Nodes wait until the controller has registered them, and a database that is started
// again needs no controller.
func TestNodesWaitToBeRegistered(t *testing.T) {
	c := prepare(t)
	c.startWithoutController()
	client := c.identity("node-a", c.nodes)
	in := func() bool { return c.connects(client, nodesPort) }
	c.fill(c.nodes)
	NewWithT(t).Eventually(c.sb.Filled(), patience).Should(Receive())
	NewWithT(t).Consistently(in, time.Second, 50*time.Millisecond).Should(BeFalse(), "a node gets in before it is registered")
	if done, err := c.sb.Register(t.Context(), []ovn.Registration{{Chassis: "node-a", Address: netip.MustParseAddr("192.0.2.1")}}); err != nil || done.Chassis != 1 {
		t.Fatalf("register: %v, %v", done, err)
	}
	c.eventually(in, "nodes are let in")

	c.sb.Close()
	c.kill("sb")
	c.eventually(func() bool { return !c.answers("sb") }, "the server ends")
	c.launchDatabase("sb")
	c.eventually(in, "nodes are let in again")
	if got := c.rows("Chassis"); len(got) != 1 {
		t.Errorf("chassis: %v", got)
	}
}

// node is a node of the cluster, which reaches the database through a door.
type node struct {
	*ovstest.Chassis
	c    *central
	door *door
}

func (c *central) node(segment *ovstest.Segment, name string) *node {
	c.t.Helper()
	files := c.identity(name, c.nodes)
	n := &node{c: c, Chassis: segment.ChassisOf(name, c.programs,
		[]string{"--private-key=" + files.key, "--certificate=" + files.certificate, "--ca-cert=" + files.ca},
		"external_ids:hostname="+name, "external_ids:ovn-remote=ssl:127.0.0.1:"+nodesPort, "external_ids:ovn-cms-options="+ovn.ChassisMark,
		"external_ids:ovn-set-local-ip=true", "external_ids:ovn-monitor-all=false",
	)}
	n.door = c.newDoor(n.NetNS)
	return n
}

func (n *node) registration() ovn.Registration {
	return ovn.Registration{Chassis: n.Name, Address: netip.MustParseAddr(n.Address)}
}

// tunnels are the node's ports to other nodes.
func (n *node) tunnels() []string {
	n.c.t.Helper()
	return strings.Fields(n.Ctl("--bare", "--columns=name", "find", "Interface", "type=geneve"))
}

// guest is a pod of a node, with its port.
type guest struct {
	ovn.Port
	netns   string
	address netip.Addr
}

// port has the tunnel key of its number, so that traffic does not depend on northd.
func port(number byte, node string) ovn.Port {
	mac := fmt.Sprintf("0a:58:0a:00:00:%02x", number)
	return ovn.Port{
		Name: fmt.Sprintf("l2sm/default/pod-%d", number), Owner: fmt.Sprint(number), TunnelKey: int(number),
		Addresses: []string{fmt.Sprintf("%s 10.50.0.%d", mac, number)}, Options: map[string]string{"requested-chassis": node},
	}
}

// pod wires a pod as the agent does.
func (n *node) pod(number byte) guest {
	t := n.c.t
	t.Helper()
	p := guest{Port: port(number, n.Name), netns: nstest.NewNS(t), address: netip.AddrFrom4([4]byte{10, 50, 0, number})}
	mac, err := net.ParseMAC(strings.Fields(p.Addresses[0])[0])
	if err != nil {
		t.Fatal(err)
	}
	host := fmt.Sprintf("pod%d", number)
	end := link.HostEnd{Name: host, Owner: link.NewOwner(host, "net1", "l2sm")}
	want := link.Interface{Name: "net1", MAC: mac, MTU: 1442, Addresses: []netip.Prefix{netip.PrefixFrom(p.address, 24)}}
	nstest.Do(t, n.NetNS, func() error { return link.New("/proc/sys").Create(end, p.netns, want, ovstest.HostEnds()) })
	n.Ctl("add-port", "br-int", host, "--", "set", "Interface", host, "external_ids:iface-id="+p.Name)
	return p
}

// apply writes the network that all ports are on.
func (c *central) apply(ports ...ovn.Port) {
	c.t.Helper()
	net := ovn.Network{Key: ovn.Key{Namespace: "default", Name: "net"}, UID: "net", TunnelKey: 77, Ports: ports}
	if _, err := c.nb.Apply(c.t.Context(), net); err != nil {
		c.t.Fatal(err)
	}
}

// wipe has a database start empty.
func (c *central) wipe(part string) {
	c.t.Helper()
	c.kill(part)
	c.eventually(func() bool { return !c.answers(part) }, "the server ends")
	if err := os.Remove(filepath.Join(c.root, "var/lib/ovn/ovn"+part+"_db.db")); err != nil {
		c.t.Fatal(err)
	}
	c.launchDatabase(part)
	c.eventually(func() bool { return c.answers(part) }, "the server of an empty database listens")
}

func (c *central) answers(part string) bool {
	conn, err := net.Dial("unix", filepath.Join(c.root, "run/ovn/ovn"+part+"_db.sock"))
	return err == nil && conn.Close() == nil
}

// connected says whether the node's ovn-controller has been in the database.
func (c *central) connected(name string) bool {
	c.t.Helper()
	for _, row := range c.rows("Chassis_Private") {
		if row["name"] == name {
			return true
		}
	}
	return false
}

func (c *central) binding(port string) map[string]any {
	c.t.Helper()
	for _, row := range c.rows("Port_Binding") {
		if row["logical_port"] == port {
			return row
		}
	}
	return nil
}

// none says whether a column that is a set is empty.
func none(value any) bool { return fmt.Sprint(value) == "[set []]" }

// door is the way of a node's ovn-controller to the southbound database.
type door struct {
	mu     sync.Mutex
	closed bool
	inside []net.Conn
}

func (c *central) newDoor(netns string) *door {
	c.t.Helper()
	var listener net.Listener
	nstest.Do(c.t, netns, func() (err error) {
		listener, err = net.Listen("tcp", "127.0.0.1:"+nodesPort)
		return err
	})
	d := &door{}
	c.t.Cleanup(func() {
		_ = listener.Close() // it ends here
		d.shut()
	})
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go d.pass(from, net.JoinHostPort(c.address, nodesPort))
		}
	}()
	return d
}

// pass lets a client through, or has it try again later.
func (d *door) pass(from net.Conn, address string) {
	defer from.Close()
	to, err := net.Dial("tcp", address)
	if err != nil || !d.enter(from, to) {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close() // and so the other direction ends
	}()
	_, _ = io.Copy(from, to)
}

func (d *door) enter(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside = append(d.inside, conns...)
	return !d.closed
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, conn := range d.inside {
		_ = conn.Close()
	}
	d.inside = nil
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = false
}
