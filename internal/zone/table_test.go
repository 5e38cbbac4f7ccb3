package zone

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

var (
	here       = source{}
	red, green = key("red"), key("green")
	att        = key("x")
)

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// state is the attachment x at a time, on a node and a network; none where it is
// empty.
func state(version int, node, network string) *v1alpha1.L2Attachment {
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "x", UID: "u", ResourceVersion: strconv.Itoa(version)},
		Spec:       v1alpha1.L2AttachmentSpec{PodUID: "p", NodeName: node, MACAddress: "0a:58:0a:00:00:01"},
	}
	if network != "" {
		a.Status = v1alpha1.L2AttachmentStatus{Network: &v1alpha1.NetworkReference{Namespace: "default", Name: network}, TunnelKey: 7}
	}
	return a
}

// step is an event of a cache.
type step struct {
	from source
	a    *v1alpha1.L2Attachment
	gone bool
}

func (t *table) play(steps []step) {
	for _, s := range steps {
		if s.gone {
			t.lose(s.from, s.a)
		} else {
			t.see(s.from, s.a)
		}
	}
}

// where is what the table has of x: its network, and whether it is this node's.
func (t *table) where() string {
	p := t.ports[att]
	switch {
	case p == nil:
		return ""
	case p.local:
		return p.network.Name + " here"
	default:
		return p.network.Name + " " + p.attachment.Spec.NodeName
	}
}

// Watches are not ordered among each other: what the table has in the end depends on
// what happened, and not on who told first.
func TestOrderOfWatchesDoesNotMatter(t *testing.T) {
	fromRed, fromGreen := source{red}, source{green}
	cases := map[string]struct {
		reason string
		// caches are the events of each, in their order.
		caches [][]step
		want   string
	}{
		"RemoteMove": {"it is on the new network", [][]step{
			{{from: fromRed, a: state(1, "b", "red")}, {from: fromRed, a: state(2, "b", "green"), gone: true}},
			{{from: fromGreen, a: state(2, "b", "green")}},
		}, "green b"},
		"ThereAndBack": {"it is where it came from", [][]step{
			{{from: fromRed, a: state(1, "b", "red")}, {from: fromRed, a: state(2, "b", "green"), gone: true}, {from: fromRed, a: state(3, "b", "red")}},
			{{from: fromGreen, a: state(2, "b", "green")}, {from: fromGreen, a: state(3, "b", "red"), gone: true}},
		}, "red b"},
		"LocalMove": {"the node's cache alone tells of the node's own", [][]step{
			{{from: here, a: state(1, "a", "red")}, {from: here, a: state(2, "a", "green")}},
			{{from: fromRed, a: state(1, "a", "red")}, {from: fromRed, a: state(2, "a", "green"), gone: true}},
			{{from: fromGreen, a: state(2, "a", "green")}},
		}, "green here"},
		"ToAnotherNode": {"its pod was made again there", [][]step{
			{{from: here, a: state(1, "a", "red")}, {from: here, a: state(2, "b", "red"), gone: true}},
			{{from: fromRed, a: state(1, "a", "red")}, {from: fromRed, a: state(2, "b", "red")}},
		}, "red b"},
		"FromAnotherNode": {"its pod was made again here", [][]step{
			{{from: fromRed, a: state(1, "b", "red")}, {from: fromRed, a: state(2, "a", "red")}},
			{{from: here, a: state(2, "a", "red")}},
		}, "red here"},
		"Unbound": {"it has a port nowhere", [][]step{
			{{from: here, a: state(1, "a", "red")}, {from: here, a: state(2, "a", "")}},
			{{from: fromRed, a: state(1, "a", "red")}, {from: fromRed, a: state(2, "a", ""), gone: true}},
		}, ""},
		"Deleted": {"it is gone", [][]step{
			{{from: fromRed, a: state(1, "b", "red")}, {from: fromRed, a: state(2, "b", "red"), gone: true}},
		}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			orders := 0
			interleave(tc.caches, nil, func(steps []step) {
				orders++
				table := newTable("a", func() {})
				table.play(steps)
				if got := table.where(); got != tc.want {
					t.Errorf("%s: got %q, want %q after %s", tc.reason, got, tc.want, told(steps))
				}
				ports, nodes := 0, 0
				for _, m := range table.networks {
					ports += len(m.ports)
				}
				for _, n := range table.nodes {
					nodes += n
				}
				if ports != len(table.ports) || nodes > len(table.ports) {
					t.Errorf("%d ports on networks, %d on other nodes, %d in all, after %s", ports, nodes, len(table.ports), told(steps))
				}
			})
			t.Logf("%d orders", orders)
		})
	}
}

// interleave calls f with each order of all events that keeps that of each cache.
func interleave(caches [][]step, done []step, f func([]step)) {
	over := true
	for i, c := range caches {
		if len(c) == 0 {
			continue
		}
		over = false
		left := slices.Clone(caches)
		left[i] = c[1:]
		interleave(left, append(slices.Clone(done), c[0]), f)
	}
	if over {
		f(done)
	}
}

func told(steps []step) string {
	var all []string
	for _, s := range steps {
		all = append(all, strings.TrimSpace(s.from.network.Name+" "+s.a.ResourceVersion))
	}
	return strings.Join(all, ", ")
}

// A port that moves between networks of this node is written on the new one first,
// which takes it along: until then the old one's next write leaves it.
func TestMoveIsWrittenOnTheNewNetworkFirst(t *testing.T) {
	table := newTable("a", func() {})
	table.see(here, state(1, "a", "red"))
	table.done(red, table.begin(red, false))
	woken := table.see(here, state(2, "a", "green"))
	if diff := cmp.Diff([]types.NamespacedName{green, red}, woken); diff != "" {
		t.Errorf("what is to be written, in order (-want +got):\n%s", diff)
	}
	if w := table.begin(red, true); len(w.set)+len(w.remove) > 0 || !slices.Equal(w.leaving, []types.NamespacedName{att}) {
		t.Errorf("the old network's write must leave the port: %+v", w)
	}
	if table.vacant(red) {
		t.Error("the old network's switch must stay as long as the port is on it")
	}
	w := table.begin(green, false)
	table.failed(green, w)
	if table.vacant(red) {
		t.Error("a write that failed has moved nothing")
	}
	if lost := table.done(green, table.begin(green, false)); !slices.Equal(lost, []types.NamespacedName{red}) || !table.vacant(red) {
		t.Errorf("the old network has lost its last port: %v", lost)
	}
}

// What changes of an attachment without its port costs no write: each pod's
// condition Ready comes to each node of its network.
func TestOtherChangesCostNothing(t *testing.T) {
	table := newTable("a", func() {})
	table.see(here, state(1, "a", "red"))
	table.done(red, table.begin(red, false))
	ready := state(2, "a", "red")
	ready.Status.Conditions = []metav1.Condition{v1alpha1.AttachmentReady("net1")}
	if woken := table.see(here, ready); len(woken) > 0 || !table.begin(red, false).empty() {
		t.Errorf("condition Ready wakes %v", woken)
	}
	other := state(3, "a", "red")
	other.Status.TunnelKey = 8
	if woken := table.see(here, other); len(woken) == 0 || len(table.begin(red, false).set) != 1 {
		t.Error("another key must be written")
	}
}

// A network that was left takes along what was on its way to it.
func TestForgottenNetworkStrandsNoPort(t *testing.T) {
	table := newTable("a", func() {})
	table.see(source{red}, state(1, "b", "red"))
	table.done(red, table.begin(red, false))
	table.see(source{green}, state(2, "b", "green"))
	if woken := table.forget(green); !slices.Equal(woken, []types.NamespacedName{red}) {
		t.Errorf("forgetting the new network wakes %v", woken)
	}
	if w := table.begin(red, true); len(w.leaving) > 0 || len(w.remove) != 1 {
		t.Errorf("nothing takes the port from the old network but its own write: %+v", w)
	}
}

// The edge is a member of its networks without a port of this node, and other nodes'
// edges are nodes that tunnels lead to.
func TestEdgesAreMembers(t *testing.T) {
	crossed := 0
	table := newTable("a", func() { crossed++ })
	expect := func(why string, member bool, others ...string) {
		t.Helper()
		if got := table.member(red); got != member {
			t.Errorf("%s: a member: %t, want %t", why, got, member)
		}
		if got := slices.Contains(table.networksWithMembers(), red); got != member {
			t.Errorf("%s: among those that the database must hold: %t, want %t", why, got, member)
		}
		if diff := cmp.Diff(others, table.otherNodes()); diff != "" {
			t.Errorf("%s: other nodes (-want +got):\n%s", why, diff)
		}
		if table.vacant(red) == member {
			t.Errorf("%s: its switch may go: %t", why, member)
		}
	}
	if woken := table.carry(red, false); len(woken) > 0 {
		t.Errorf("a network that was never here wakes %v", woken)
	}
	expect("nothing is known", false)
	if woken := table.carry(red, true); !slices.Equal(woken, []types.NamespacedName{red}) {
		t.Errorf("a network that is carried here wakes %v", woken)
	}
	table.turnTo(red, "a")
	expect("this node's edge carries it", true)
	table.see(source{red}, state(1, "b", "red"))
	expect("a port of another node", true, "b")
	table.turnTo(red, "c")
	expect("another edge carries it, which this node's has yet to hear", true, "b", "c")
	table.turnTo(red, "b")
	expect("that of a node with ports", true, "b")
	table.forget(red)
	expect("its cache is lost", true)
	table.see(source{red}, state(1, "b", "red"))
	table.carry(red, false)
	expect("it has no member here any more", false, "b")
	table.forget(red)
	expect("and is forgotten", false)
	if len(table.networks)+len(table.nodes)+len(table.ports) > 0 || crossed == 0 {
		t.Errorf("left are %v, %v, %v; tunnels were looked at %d times", table.networks, table.nodes, table.ports, crossed)
	}
}
