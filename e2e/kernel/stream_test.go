//go:build kernel

package kernel_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/e2e/traffic"
)

// stream is pings without an end.
type stream struct {
	name string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// figures are what a stream's pings lost before an action and since it began.
type figures struct {
	name          string
	before, since traffic.Pings
}

// during has ping talk to the pods on the other node, by IPv4 and IPv6, and on its own, while something is done.
func (c *chain) during(action func()) []figures {
	c.Helper()
	var all []*stream
	for name, to := range map[string]string{"node to node, IPv4": c.pong.ips[0], "node to node, IPv6": c.pong.ips[1], oneNode: c.near.ips[0]} {
		c.ping.answers(to)
		s := &stream{name: name, cmd: c.ping.command("ping", "-n", "-D", "-O", "-i", "0.02", to)}
		s.cmd.Stdout = &s.out
		if err := s.cmd.Start(); err != nil {
			c.Fatal(err)
		}
		all = append(all, s)
	}
	time.Sleep(calm)
	begin := time.Now()
	action()
	time.Sleep(calm)
	end := time.Now()
	var got []figures
	for _, s := range all {
		_ = s.cmd.Process.Signal(os.Interrupt)
		_ = s.cmd.Wait() // pings that were lost are an error, too
		pings, err := traffic.ReadSlowPings(s.out.String(), late)
		if err != nil {
			c.Fatal(err)
		}
		got = append(got, figures{s.name, pings.Between(begin.Add(-calm), begin), pings.Between(begin, end.Add(-late))})
	}
	return got
}

// late is how long an answer may take: a translated processor may not get to it for longer than a real one.
const late = time.Second

const oneNode = "on one node"

// calm is the time of a stream before and after an action.
const calm = 3 * time.Second

// report prints the figures as e2e's scenarios do; docs/reliability.md has them.
func (c *chain) report(killed, kept string, all []figures) {
	c.Helper()
	for _, f := range all {
		c.Logf("reliability: %s (kernel datapath, %s) | kept: %s | lost: %d of %d pings, longest gap %d ms (before: %d of %d)",
			killed, f.name, kept, f.since.Lost(), len(f.since), f.since.Gap().Milliseconds(), f.before.Lost(), len(f.before))
		if len(f.since) < 100 {
			c.Errorf("%s: %d pings are no stream", f.name, len(f.since))
		}
	}
}

// losesNothing asserts that every ping is answered.
func (c *chain) losesNothing(all []figures) {
	c.Helper()
	for _, f := range all {
		if lost := f.since.Lost(); lost > 0 {
			c.Errorf("%s: %d pings are lost, want none", f.name, lost)
		}
	}
}

// atMost asserts that no gap is longer.
func (c *chain) atMost(longest time.Duration, all []figures) {
	c.Helper()
	for _, f := range all {
		if gap := f.since.Gap(); gap > longest {
			c.Errorf("%s: no answers for %s, want at most %s", f.name, gap, longest)
		}
	}
}

// awaitSwitch returns when an ovs-vswitchd other than the one with this PID forwards on the node, and its flows are its own.
func (c *chain) awaitSwitch(n *member, former string) {
	c.Helper()
	NewWithT(c).Eventually(func() error {
		if now := n.switchPID(); now == "" || now == former {
			return fmt.Errorf("ovs-vswitchd is process %q, was %q", now, former)
		}
		_, err := n.ovn.Exec(c.Context(), "ovs-vswitchd", "ovs-vsctl", "--timeout=2", "get", "Open_vSwitch", ".", "other_config:flow-restore-wait")
		if err == nil {
			return fmt.Errorf("ovs-vswitchd still waits for its flows")
		}
		_, err = n.ovn.Exec(c.Context(), "ovs-vswitchd", "ovs-ofctl", "--timeout=2", "show", "br-int")
		return err
	}, patience, "200ms").Should(Succeed())
}

// switchPID is ovs-vswitchd's, as it says itself.
func (n *member) switchPID() string {
	text, _ := os.ReadFile(n.HostFile("/run/openvswitch/ovs-vswitchd.pid"))
	return string(bytes.TrimSpace(text))
}
