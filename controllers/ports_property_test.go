package controllers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// Whatever is set, moved, removed, written, failed and dropped in whatever
// order, by a worker for each network: once every network that was to be written
// is, the database holds each port where it belongs, and nothing else.
func TestPortsProperties(t *testing.T) { rapid.Check(t, checkPorts) }

// switches are what the northbound side does with a work: a port is on one switch.
type switches map[string]row

type row struct {
	On types.NamespacedName
	ovn.Port
}

func (d switches) apply(network types.NamespacedName, w work) {
	kept := portNames(w.leaving)
	for _, p := range w.set {
		port := p.row()
		d[port.Name] = row{network, port}
		kept = append(kept, port.Name)
	}
	removed := portNames(w.remove)
	for name, on := range d {
		goes := slices.Contains(removed, name) && !w.whole || w.whole && !slices.Contains(kept, name)
		if on.On == network && goes {
			delete(d, name)
		}
	}
}

func (d switches) empty(network types.NamespacedName) {
	for name, on := range d {
		if on.On == network {
			delete(d, name)
		}
	}
}

// portsModel is what the reconcilers do with ports.
type portsModel struct {
	*ports
	switches
	woken map[types.NamespacedName]bool
	works map[types.NamespacedName]work // under way
	want  switches
	// homeless attachments have a reconcile to come.
	homeless map[types.NamespacedName]bool
}

func (c *portsModel) wake(networks ...types.NamespacedName) {
	for _, key := range networks {
		c.woken[key] = true
	}
}

// begin is the start of a network's reconcile, if it is woken and none is under
// way.
func (c *portsModel) begin(network types.NamespacedName) {
	if _, busy := c.works[network]; busy || !c.woken[network] {
		return
	}
	delete(c.woken, network)
	if w := c.ports.begin(network, 1); !w.empty() {
		c.works[network] = w
	}
}

// end is its end: a write may fail before or after it is carried out.
func (c *portsModel) end(network types.NamespacedName, carriedOut, fails bool) {
	w, busy := c.works[network]
	if !busy {
		return
	}
	delete(c.works, network)
	if carriedOut || !fails {
		c.apply(network, w)
	}
	if fails {
		c.wake(network)
		c.wake(c.failed(network, w)...)
		return
	}
	_, again := c.done(network, w)
	c.wake(again...)
}

func (c *portsModel) drop(network types.NamespacedName) {
	if _, busy := c.works[network]; busy {
		return
	}
	c.empty(network)
	for _, owner := range c.ports.drop(network) {
		c.homeless[owner] = true
		delete(c.want, v1alpha1.PortOf(owner))
	}
}

// resettle is the reconcile of the attachments whose network was dropped.
func (c *portsModel) resettle() {
	for owner := range c.homeless {
		c.remove(owner)
	}
}

func (c *portsModel) remove(owner types.NamespacedName) {
	c.wake(c.ports.remove(owner)...)
	delete(c.want, v1alpha1.PortOf(owner))
	delete(c.homeless, owner)
}

func checkPorts(t *rapid.T) {
	c := &portsModel{newPorts(), switches{}, map[types.NamespacedName]bool{}, map[types.NamespacedName]work{}, switches{}, map[types.NamespacedName]bool{}}
	network := rapid.Custom(func(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "network") })
	name := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("x-", rapid.IntRange(0, 2).Draw(t, "owner")) })
	t.Repeat(map[string]func(*rapid.T){
		"set": func(t *rapid.T) {
			n, a := networkOf(network.Draw(t, "to")), portOf(name.Draw(t, "name"))
			a.Spec.MACAddress = fmt.Sprint("02:00:00:00:00:0", rapid.IntRange(1, 2).Draw(t, "mac"))
			if c.set(n, a) {
				c.wake(n.Key())
			}
			on := c.on[a.Key()]
			c.want[a.PortName()] = row{n.Key(), on.row()}
			delete(c.homeless, a.Key())
		},
		"remove": func(t *rapid.T) { c.remove(key("lab", name.Draw(t, "name"))) },
		"begin":  func(t *rapid.T) { c.begin(key("lab", network.Draw(t, "n"))) },
		"end": func(t *rapid.T) {
			c.end(key("lab", network.Draw(t, "n")), rapid.Bool().Draw(t, "done"), rapid.Bool().Draw(t, "fails"))
		},
		"compare":  func(t *rapid.T) { n := key("lab", network.Draw(t, "n")); c.compare(n); c.wake(n) },
		"drop":     func(t *rapid.T) { c.drop(key("lab", network.Draw(t, "n"))) },
		"resettle": func(*rapid.T) { c.resettle() },
		"": func(t *rapid.T) {
			checkListed(t, c.ports)
			c.checkCommitted(t)
		},
	})
	c.resettle()
	for round := 0; len(c.woken)+len(c.works) > 0; round++ {
		if round == 20 {
			t.Fatalf("networks are woken without an end: %v", c.woken)
		}
		for _, n := range []string{"a", "b", "c"} {
			c.end(key("lab", n), true, false)
			c.begin(key("lab", n))
		}
	}
	if diff := cmp.Diff(c.want, c.switches); diff != "" {
		t.Fatalf("what the database holds: -want +got\n%s", diff)
	}
	for owner, p := range c.on {
		if !p.committed || len(c.left[owner]) > 0 {
			t.Fatalf("%s is written: committed %t, goes away from %v", owner.Name, p.committed, c.left[owner])
		}
	}
}

// checkCommitted: what is said to be committed is in the database. While networks
// are written that is known when their writes end.
func (c *portsModel) checkCommitted(t *rapid.T) {
	for _, p := range c.on {
		want, has := row{p.network.key, p.row()}, c.switches[p.row().Name]
		if diff := cmp.Diff(want, has); p.committed && len(c.works) == 0 && diff != "" {
			t.Fatalf("%s is said to be committed: -want +got\n%s", p.owner.Name, diff)
		}
	}
}

// checkListed: each port is listed once, by the network that it is on, at its
// place.
func checkListed(t *rapid.T, p *ports) {
	listed := 0
	for key, n := range p.networks {
		for i, port := range n.desired {
			if port.network != n || port.place != i || p.on[port.owner] != port || n.key != key {
				t.Fatalf("network %s lists %s at %d, which is at %d of %s", key.Name, port.owner.Name, i, port.place, port.network.key.Name)
			}
		}
		listed += len(n.desired)
	}
	if listed != len(p.on) {
		t.Fatalf("%d ports are listed, and %d attachments have one", listed, len(p.on))
	}
}
