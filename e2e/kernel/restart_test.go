//go:build kernel

package kernel_test

import (
	"strconv"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
)

// ovs-vswitchd dies: the flows that are in use go on, and stay when it is back.
func (c *chain) switchKilled() {
	n := c.nodes[first]
	f := c.during(func() {
		former := n.switchPID()
		pid, err := strconv.Atoi(former)
		if err != nil {
			c.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			c.Fatal(err)
		}
		c.awaitSwitch(n, former)
	})
	c.report("ovs-vswitchd killed (-9)", "flows in use", f)
	c.atMost(longestGap, f)
}

// longestGap is what may be lost by either; a node whose flows are gone would lose seconds.
const longestGap = 200 * time.Millisecond

// ovn-node's pod is replaced, as a rolling update does. Here that takes ten times as long as on a node, longer than Linux
// waits for a neighbour whose address it asks for again, by a frame that no flow in use takes: so neighbours are known.
func (c *chain) podReplaced() {
	n := c.nodes[first]
	for _, p := range []*pod{c.ping, c.pong, c.near} {
		p.keepNeighbours()
	}
	f := c.during(func() {
		former := n.switchPID()
		if err := n.ovn.Stop(c.Context()); err != nil {
			c.Fatal(err)
		}
		c.startOVN(first)
		c.awaitSwitch(n, former)
	})
	c.report("ovn-node's pod replaced", "flows in use", f)
	c.atMost(longestGap, f)
	c.ping.answers(c.pong.ips[0])
}

// A node loses all that a reboot takes: processes, /run, links, the datapath. Its pods get new sandboxes. A boot of the
// virtual machine would add nothing but its kernel's start, which is each run's.
func (c *chain) nodeRebooted() {
	n := c.nodes[second]
	before := c.pong.attachment()
	f := c.during(func() {
		for _, p := range []interface{ Kill() error }{n.agent, n.ovn} {
			if err := p.Kill(); err != nil {
				c.Fatal(err)
			}
		}
		c.pong.loseSandbox()
		if err := n.LoseRuntime(c.Context()); err != nil {
			c.Fatal(err)
		}
		c.start(second)
		c.pong.startSandbox(true)
		c.pong.awaitReady("net")
		c.ping.answers(c.pong.ips[0])
	})
	c.report("a node rebooted", "traffic on the other node; its pod came back with its addresses", f)
	for _, s := range f {
		if s.name == oneNode {
			c.losesNothing([]figures{s})
		}
	}
	NewWithT(c).Expect(c.pong.attachment().UID).To(Equal(before.UID))
	c.ping.answers(c.pong.ips[1])
}
