package ovn

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever was applied in which order, a port is expected on the network that
// it was last set on, and on no other.
func TestExpectedOwners(t *testing.T) {
	whole := func(name string, ports ...string) func(expected) {
		return func(e expected) { e.replace(expectedNetwork(name, ports...)) }
	}
	set := func(name string, ports ...string) func(expected) {
		return func(e expected) {
			e.change(PortChanges{Network: expectedNetwork(name), Set: expectedNetwork(name, ports...).Ports})
		}
	}
	unset := func(name string, ports ...string) func(expected) {
		return func(e expected) { e.change(PortChanges{Network: expectedNetwork(name), Remove: ports}) }
	}
	forget := func(name string) func(expected) {
		return func(e expected) { e.forget(Key{Namespace: "default", Name: name}) }
	}

	cases := map[string]struct {
		reason string
		steps  []func(expected)
		want   map[string]string
	}{
		"Whole":           {"a network as a whole replaces what it had", []func(expected){whole("a", "1", "2"), whole("a", "2", "3")}, map[string]string{"2": "a", "3": "a"}},
		"Set":             {"what is set is added", []func(expected){whole("a", "1"), set("a", "2")}, map[string]string{"1": "a", "2": "a"}},
		"Removed":         {"what is removed is gone", []func(expected){whole("a", "1", "2"), unset("a", "2")}, map[string]string{"1": "a"}},
		"RemovedByOther":  {"a network that has not the port does not remove it", []func(expected){whole("a", "1"), unset("b", "1")}, map[string]string{"1": "a"}},
		"Moved":           {"the last one has it", []func(expected){whole("a", "1", "2"), set("b", "1")}, map[string]string{"1": "b", "2": "a"}},
		"MovedThenWhole":  {"the former network does not take it along", []func(expected){whole("a", "1"), set("b", "1"), whole("a")}, map[string]string{"1": "b"}},
		"MovedThenForgot": {"nor when it goes", []func(expected){whole("a", "1"), set("b", "1"), forget("a")}, map[string]string{"1": "b"}},
		"MovedBack":       {"it may come back", []func(expected){whole("a", "1"), set("b", "1"), set("a", "1"), forget("b")}, map[string]string{"1": "a"}},
		"Forgotten":       {"a network that goes takes its ports along", []func(expected){whole("a", "1"), whole("b", "2"), forget("a")}, map[string]string{"2": "b"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := newExpected()
			for _, step := range tc.steps {
				step(e)
			}
			got := map[string]string{}
			for _, port := range []string{"1", "2", "3"} {
				if key, has := e.owner(port); has {
					got[port] = key.Name
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: owners (-want +got):\n%s", tc.reason, diff)
			}
			counted := 0
			for key, x := range e.networks {
				for p := x.ports; p != nil; p = p.next {
					counted++
					if p.on != x || e.ports[p.name] != p {
						t.Errorf("%s: a port is also counted to %s", tc.reason, key.Name)
					}
				}
			}
			if counted != len(tc.want) {
				t.Errorf("%s: %d ports counted to networks, want %d", tc.reason, counted, len(tc.want))
			}
		})
	}
}

// A port that leaves its network for another is expected on neither until the
// other is applied: it may stay as long as that takes.
func TestExpectedLeaving(t *testing.T) {
	e := newExpected()
	n := expectedNetwork("a", "1")
	n.Leaving = []string{"2"}
	e.replace(n)

	got := e.networks[n.Key].compared(e, map[string]struct{}{"1": {}, "2": {}, "3": {}})
	if len(got.Ports) != 1 || got.Ports[0].Name != "1" || !slices.Equal(got.gone, []string{"3"}) {
		t.Errorf("want port 1 there, port 3 not, and nothing said of 2: got %+v, gone %v", got.Ports, got.gone)
	}
}

func expectedNetwork(name string, ports ...string) Network {
	n := Network{Key: Key{Namespace: "default", Name: name}}
	for _, p := range ports {
		n.Ports = append(n.Ports, Port{Name: p})
	}
	return n
}
