package controllers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func networkOf(name string) *v1alpha1.L2Network {
	return &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: name, UID: types.UID(name)}}
}

// portOf is the attachment lab/<name> with everything that a port needs.
func portOf(name string) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: name, UID: types.UID(name)},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: name, PodUID: "uid", NodeName: "node-a", MACAddress: "02:00:00:00:00:01"},
	}
}

// says is what a write has to do, in words.
func says(w work) map[string][]string {
	all := map[string][]string{}
	for _, p := range w.set {
		all["set"] = append(all["set"], p.owner.Name)
	}
	for _, owner := range w.remove {
		all["remove"] = append(all["remove"], owner.Name)
	}
	for _, owner := range w.leaving {
		all["leaving"] = append(all["leaving"], owner.Name)
	}
	if w.whole {
		all["whole"] = nil
	}
	for _, names := range all {
		slices.Sort(names)
	}
	return all
}

// TestPortsBegin is what a write of network a has to do after each history. All
// begin with ports x and y on a, which are committed.
func TestPortsBegin(t *testing.T) {
	a, b, c := networkOf("a"), networkOf("b"), networkOf("c")
	moved := func(p *ports, n *v1alpha1.L2Network, name string) { p.set(n, portOf(name)) }
	commit := func(p *ports, n *v1alpha1.L2Network) { p.done(n.Key(), p.begin(n.Key(), 1)) }
	cases := map[string]struct {
		reason string
		then   func(*ports)
		want   map[string][]string
	}{
		"Nothing":            {"what is written is not written again", func(*ports) {}, map[string][]string{}},
		"Same":               {"nor what is set as it is", func(p *ports) { moved(p, a, "x") }, map[string][]string{}},
		"New":                {"a new port is one", func(p *ports) { moved(p, a, "z") }, map[string][]string{"set": {"z"}}},
		"Changed":            {"so is one that has changed", func(p *ports) { z := portOf("x"); z.Spec.MACAddress = "02:00:00:00:00:02"; p.set(a, z) }, map[string][]string{"set": {"x"}}},
		"Again":              {"and one that was created again", func(p *ports) { z := portOf("x"); z.UID = "x2"; p.set(a, z) }, map[string][]string{"set": {"x"}}},
		"Removed":            {"one is removed", func(p *ports) { p.remove(key("lab", "x")) }, map[string][]string{"remove": {"x"}}},
		"Unknown":            {"one that never was is not", func(p *ports) { p.remove(key("lab", "z")) }, map[string][]string{}},
		"BackAgain":          {"one that is removed and set is set", func(p *ports) { p.remove(key("lab", "x")); moved(p, a, "x") }, map[string][]string{"set": {"x"}}},
		"MovesAway":          {"the network that a port moves to takes it over", func(p *ports) { moved(p, b, "x") }, map[string][]string{}},
		"MovesBack":          {"and back", func(p *ports) { moved(p, b, "x"); moved(p, a, "x") }, map[string][]string{"set": {"x"}}},
		"MovesIn":            {"one that comes from another network", func(p *ports) { moved(p, b, "z"); commit(p, b); moved(p, a, "z") }, map[string][]string{"set": {"z"}}},
		"RemovedWhileMoving": {"it may be on either", func(p *ports) { moved(p, b, "x"); p.remove(key("lab", "x")) }, map[string][]string{"remove": {"x"}}},
		"RemovedAfterMove":   {"it is on the other for certain", func(p *ports) { moved(p, b, "x"); commit(p, b); p.remove(key("lab", "x")) }, map[string][]string{}},
		"MovesTwice":         {"it may be on the first still", func(p *ports) { moved(p, b, "x"); moved(p, c, "x"); p.remove(key("lab", "x")) }, map[string][]string{"remove": {"x"}}},
		"ChangedAndMovesAway": {"it is the other's to write, and not this one's to remove", func(p *ports) {
			z := portOf("x")
			z.Spec.MACAddress = "02:00:00:00:00:02"
			p.set(a, z)
			p.set(b, z)
		}, map[string][]string{}},
		"Whole":            {"a comparison names what leaves, so that it stays until then", func(p *ports) { moved(p, b, "x"); p.compare(a.Key()) }, map[string][]string{"whole": nil, "set": {"y"}, "leaving": {"x"}}},
		"WholeAfterMove":   {"what has left is not expected any more", func(p *ports) { moved(p, b, "x"); commit(p, b); p.compare(a.Key()) }, map[string][]string{"whole": nil, "set": {"y"}}},
		"WholeAfterReturn": {"what is back does not leave", func(p *ports) { moved(p, b, "x"); moved(p, a, "x"); p.compare(a.Key()) }, map[string][]string{"whole": nil, "set": {"x", "y"}}},
		"Failed":           {"a write that failed is repeated", func(p *ports) { moved(p, a, "z"); p.remove(key("lab", "x")); p.failed(a.Key(), p.begin(a.Key(), 1)) }, map[string][]string{"set": {"z"}, "remove": {"x"}}},
		"FailedWhole":      {"as a whole, if it was one", func(p *ports) { p.compare(a.Key()); p.failed(a.Key(), p.begin(a.Key(), 1)) }, map[string][]string{"whole": nil, "set": {"x", "y"}}},
		"FailedAndOver": {"what is set meanwhile is what is repeated", func(p *ports) {
			p.remove(key("lab", "x"))
			w := p.begin(a.Key(), 1)
			moved(p, a, "x")
			p.failed(a.Key(), w)
		}, map[string][]string{"set": {"x"}}},
		"FailedAndLeaves": {"a port that leaves meanwhile is not removed before it is taken over", func(p *ports) {
			z := portOf("x")
			z.Spec.MACAddress = "02:00:00:00:00:02"
			p.set(a, z)
			w := p.begin(a.Key(), 1)
			moved(p, b, "x")
			p.failed(a.Key(), w)
		}, map[string][]string{}},
		"ChangedMeanwhile": {"what changes while it is written is written again", func(p *ports) {
			moved(p, a, "z")
			w := p.begin(a.Key(), 1)
			z := portOf("z")
			z.Spec.NodeName = "node-b"
			p.set(a, z)
			p.done(a.Key(), w)
		}, map[string][]string{"set": {"z"}}},
		"RemovedMeanwhile": {"and so is what is removed", func(p *ports) {
			moved(p, a, "z")
			w := p.begin(a.Key(), 1)
			p.remove(key("lab", "z"))
			p.done(a.Key(), w)
		}, map[string][]string{"remove": {"z"}}},
		"ComparedMeanwhile": {"a connection that is made while a network is written", func(p *ports) {
			w := p.begin(a.Key(), 1)
			p.compare(a.Key())
			p.done(a.Key(), w)
		}, map[string][]string{"whole": nil, "set": {"x", "y"}}},
		"MovesOnMeanwhile": {"it is on this switch when it is removed", func(p *ports) {
			moved(p, b, "z")
			commit(p, b)
			moved(p, a, "z")
			w := p.begin(a.Key(), 1)
			moved(p, c, "z")
			p.done(a.Key(), w)
			p.remove(key("lab", "z"))
		}, map[string][]string{"remove": {"z"}}},
		"StaysWhileMovingOn": {"until then it leaves", func(p *ports) {
			moved(p, a, "z")
			w := p.begin(a.Key(), 1)
			moved(p, c, "z")
			p.done(a.Key(), w)
			p.compare(a.Key())
		}, map[string][]string{"whole": nil, "set": {"x", "y"}, "leaving": {"z"}}},
		"RemovedAndSetElsewhere": {"it is removed here, and the other's to write", func(p *ports) {
			p.remove(key("lab", "x"))
			moved(p, b, "x")
		}, map[string][]string{"remove": {"x"}}},
		"OtherDropped": {"the network that it moved to is gone before it was there", func(p *ports) {
			moved(p, b, "x")
			p.drop(b.Key())
			p.remove(key("lab", "x"))
		}, map[string][]string{"remove": {"x"}}},
		"OtherDroppedAndBack": {"and it is back", func(p *ports) { moved(p, b, "x"); p.drop(b.Key()); moved(p, a, "x") }, map[string][]string{"set": {"x"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPorts()
			moved(p, a, "x")
			moved(p, a, "y")
			commit(p, a)

			tc.then(p)

			if diff := cmp.Diff(tc.want, says(p.begin(a.Key(), 1))); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// What is new to say of a port, and which networks have to be written for it.
func TestPortsSetAndRemove(t *testing.T) {
	a, b := networkOf("a"), networkOf("b")
	p := newPorts()
	x := portOf("x")
	if !p.set(a, x) || p.set(a, x) {
		t.Error("a port is new once")
	}
	if p.has(a.Key(), x) || p.has(b.Key(), x) {
		t.Error("a port that is not written is not there")
	}
	w := p.begin(a.Key(), 1)
	committed, _ := p.done(a.Key(), w)
	if diff := cmp.Diff([]types.NamespacedName{x.Key()}, committed); diff != "" {
		t.Errorf("what is there now and was not: -want +got\n%s", diff)
	}
	if !p.has(a.Key(), x) || p.count(a.Key()) != 1 {
		t.Error("a port that is written is there")
	}
	p.compare(a.Key())
	if committed, again := p.done(a.Key(), p.begin(a.Key(), 1)); len(committed)+len(again) > 0 || !p.has(a.Key(), x) {
		t.Errorf("a comparison tells of nothing new: %v, %v", committed, again)
	}
	later := portOf("x")
	later.UID = "x2"
	if p.has(a.Key(), later) {
		t.Error("another attachment of the name does not have the port")
	}
	p.set(b, x)
	if p.has(a.Key(), x) || p.has(b.Key(), x) || p.count(a.Key()) != 0 || p.count(b.Key()) != 1 {
		t.Error("a port that moves is on neither network for certain")
	}
	if diff := cmp.Diff([]types.NamespacedName{b.Key(), a.Key()}, p.remove(x.Key())); diff != "" {
		t.Errorf("removed while it moves: -want +got\n%s", diff)
	}
	if again := p.remove(x.Key()); again != nil {
		t.Errorf("it is removed once: %v", again)
	}
	p.set(a, x)
	if diff := cmp.Diff([]types.NamespacedName{x.Key()}, p.drop(a.Key())); diff != "" {
		t.Errorf("those that had a port on a network that is gone: -want +got\n%s", diff)
	}
	if p.drop(a.Key()) != nil || p.count(a.Key()) != 0 || p.has(a.Key(), x) {
		t.Error("a network that is gone has nothing")
	}
}

// A port that changes while it is written is not there as it is desired.
func TestPortsChangedWhileWritten(t *testing.T) {
	a := networkOf("a")
	p := newPorts()
	x := portOf("x")
	p.set(a, x)
	w := p.begin(a.Key(), 1)
	x.Spec.MACAddress = "02:00:00:00:00:02"
	p.set(a, x)
	if committed, again := p.done(a.Key(), w); len(committed)+len(again) > 0 || p.has(a.Key(), x) {
		t.Errorf("what was written is what it was before: %v, %v", committed, again)
	}
}

// Two networks are written at the same time, and a port that moves on is in both
// writes: whichever was the last, it is written where it belongs.
func TestPortsWrittenByTwo(t *testing.T) {
	a, b := networkOf("a"), networkOf("b")
	x := portOf("x")
	ends := map[string]func(*ports, work) []types.NamespacedName{
		"Done":   func(p *ports, w work) []types.NamespacedName { _, again := p.done(a.Key(), w); return again },
		"Failed": func(p *ports, w work) []types.NamespacedName { return p.failed(a.Key(), w) },
	}
	for name, end := range ends {
		t.Run("Moved"+name, func(t *testing.T) {
			p := newPorts()
			p.done(b.Key(), p.begin(b.Key(), 1))
			p.set(a, x)
			w := p.begin(a.Key(), 1)
			p.set(b, x)
			p.done(b.Key(), p.begin(b.Key(), 1))
			if diff := cmp.Diff([]types.NamespacedName{b.Key()}, end(p, w)); diff != "" {
				t.Errorf("the network to be written again: -want +got\n%s", diff)
			}
			if p.has(b.Key(), x) {
				t.Error("it may be on the other switch")
			}
			if diff := cmp.Diff(map[string][]string{"set": {"x"}}, says(p.begin(b.Key(), 1))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
		t.Run("Removed"+name, func(t *testing.T) {
			p := newPorts()
			p.set(a, x)
			w := p.begin(a.Key(), 1)
			p.set(b, x)
			p.done(b.Key(), p.begin(b.Key(), 1))
			p.remove(x.Key())
			if diff := cmp.Diff([]types.NamespacedName{a.Key()}, end(p, w)); diff != "" {
				t.Errorf("the network to be written again: -want +got\n%s", diff)
			}
			if diff := cmp.Diff([]types.NamespacedName{x.Key()}, p.begin(a.Key(), 1).remove); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// A network is written as a whole after a start, when asked to, and when its spec
// in force is another.
func TestPortsStale(t *testing.T) {
	a := networkOf("a").Key()
	p := newPorts()
	if !p.stale(a, 1) {
		t.Error("nothing is known after a start")
	}
	w := p.begin(a, 1)
	p.failed(a, w)
	if !p.stale(a, 1) {
		t.Error("a write that failed wrote nothing")
	}
	p.done(a, p.begin(a, 1))
	if p.stale(a, 1) || !p.begin(a, 1).empty() {
		t.Error("it is written")
	}
	if !p.stale(a, 2) || !p.begin(a, 2).whole {
		t.Error("another spec is in force")
	}
	p.done(a, work{whole: true, version: 2})
	p.compare(a)
	if !p.stale(a, 2) {
		t.Error("a connection was made")
	}
}

// A write costs what has changed, not what its network has.
func TestPortsBeginCostsTheChange(t *testing.T) {
	cost := func(size int) float64 {
		p, a := newPorts(), networkOf("a")
		for i := range size {
			p.set(a, portOf(fmt.Sprint("x-", i)))
		}
		p.done(a.Key(), p.begin(a.Key(), 1))
		x, i := portOf("x-7"), 0
		return testing.AllocsPerRun(100, func() {
			i++
			x.Spec.NodeName = []string{"node-a", "node-b"}[i%2]
			p.set(a, x)
			p.done(a.Key(), p.begin(a.Key(), 1))
		})
	}
	if few, many := cost(100), cost(10_000); few == 0 || many > few {
		t.Errorf("a change takes %v allocations with 100 ports and %v with 10,000", few, many)
	}
}

// All that came and went leaves nothing behind.
func TestPortsForget(t *testing.T) {
	a, b := networkOf("a"), networkOf("b")
	p := newPorts()
	for i := range 50 {
		x := portOf(fmt.Sprint("x-", i))
		p.set(a, x)
		p.done(a.Key(), p.begin(a.Key(), 1))
		p.set(b, x)
		if i%2 == 0 {
			p.done(b.Key(), p.begin(b.Key(), 1))
		}
		p.remove(x.Key())
	}
	p.done(a.Key(), p.begin(a.Key(), 1))
	p.done(b.Key(), p.begin(b.Key(), 1))
	for key, n := range p.networks {
		if n.desired != nil || n.changed != nil || n.leaving != nil {
			t.Errorf("network %s keeps %v, %v, %v", key, n.desired, n.changed, n.leaving)
		}
	}
	if len(p.on)+len(p.left) > 0 {
		t.Errorf("%v are on and %v left some network", p.on, p.left)
	}
}
