//go:build kernel

package kernel_test

import (
	"fmt"
	"strings"
	"testing"
)

// chain is a network with pods on both nodes.
type chain struct {
	*cluster
	ping, pong, near *pod // near is on ping's node
}

func TestChain(t *testing.T) {
	whole := &chain{cluster: newCluster(t)}
	whole.network("net")
	whole.ping, whole.pong, whole.near = whole.pod("ping", first, "net", 1), whole.pod("pong", second, "net", 2), whole.pod("near", first, "net", 3)
	for _, p := range []*pod{whole.ping, whole.pong, whole.near} {
		p.awaitReady("net")
	}
	for _, scenario := range []struct {
		name string
		test func(*chain)
	}{
		{"Datapath", (*chain).datapath},
		{"Ping", (*chain).pings},
		{"FullMTU", (*chain).fullMTU},
		{"TCP", (*chain).tcp},
		{"HotAttach", (*chain).hotAttach},
		{"Move", (*chain).move},
		{"Injected", (*chain).injected},
		{"SwitchKilled", (*chain).switchKilled},
		{"PodReplaced", (*chain).podReplaced},
		{"NodeRebooted", (*chain).nodeRebooted},
	} {
		t.Run(scenario.name, func(t *testing.T) { scenario.test(whole.within(t)) })
	}
}

// within is the chain for a part of its test.
func (c *chain) within(t *testing.T) *chain {
	part := *c.cluster
	part.T = t
	of := func(p *pod) *pod {
		q := *p
		q.cluster = &part
		return &q
	}
	return &chain{&part, of(c.ping), of(c.pong), of(c.near)}
}

// What all of this is about.
func (c *chain) datapath() {
	for name, n := range c.nodes {
		out, err := n.ovn.Exec(c.Context(), "ovs-vswitchd", "ovs-dpctl", "show")
		if err != nil {
			c.Fatal(err)
		}
		for _, want := range []string{"system@ovs-system", "br-int", "genev_sys_6081"} {
			if !strings.Contains(out, want) {
				c.Errorf("the kernel's datapath on %s lacks %s:\n%s", name, want, out)
			}
		}
	}
}

func (c *chain) pings() {
	for _, to := range append(c.pong.ips, c.near.ips...) {
		c.ping.answers(to)
		out := c.ping.run("ping", "-n", "-q", "-c", "20", "-i", "0.05", "-W", "2", to)
		if !strings.Contains(out, "20 received") {
			c.Errorf("not every ping to %s is answered:\n%s", to, out)
		}
	}
}

// fullMTU sends what fits the underlay exactly, and what does not.
func (c *chain) fullMTU() {
	mtu := number(c.T, c.ping.shows("mtu"))
	overhead := map[string]int{"IPv4": 58, "IPv6": 78}[c.settings["UNDERLAY_FAMILY"]]
	if want := c.underlay.MTU - overhead; mtu != want {
		c.Errorf("the pod's MTU is %d, want %d: the underlay's %d less %d", mtu, want, c.underlay.MTU, overhead)
	}
	for i, headers := range []int{28, 48} { // IP's and ICMP's
		send := func(size int) (string, error) {
			out, err := c.ping.command("ping", "-n", "-c", "3", "-i", "0.1", "-W", "3", "-M", "do", "-s", fmt.Sprint(size), c.pong.ips[i]).CombinedOutput()
			return string(out), err
		}
		if out, err := send(mtu - headers); err != nil || !strings.Contains(out, "3 received") {
			c.Errorf("%d bytes, the whole MTU, do not arrive: %v\n%s", mtu, err, out)
		}
		if out, err := send(mtu - headers + 1); err == nil {
			c.Errorf("%d bytes, one more than the MTU, arrive:\n%s", mtu+1, out)
		}
	}
}
