//go:build e2e

package clusters

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Where both clusters have a pod of the same address when their networks meet, each keeps
// its own, and says so until one is gone.
func TestAddressConflict(t *testing.T) {
	east, west := newScenario(t)
	const address, easts, wests = "10.60.0.7", "02:00:00:00:00:e7", "02:00:00:00:00:77"
	for p, mac := range map[place]string{east: easts, west: wests} {
		p.apply(p.network(0), pod("double", "", asks(`, "mac": "`+mac+`"`, address)), pod("friend", "", ""))
		p.ready("double", "friend")
	}
	east.apply(east.network(5104))
	west.apply(west.network(5104))
	for _, p := range []place{east, west} {
		p.says("True:AddressConflict:", "get", "l2peer", p.other, "-o", condition("AddressConflict"))
		p.says(address, "get", "l2peer", p.other, "-o", condition("AddressConflict"))
	}
	for p, mac := range map[place]string{east: easts, west: wests} {
		if got := answers(p, address); got != mac {
			t.Errorf("in the %s %s is at %q, want its own pod's %s", p.side, address, got, mac)
		}
	}

	west.kubectl("delete", "pod", "double")
	east.eventually(func() error {
		out, err := east.try("get", "l2peer", "west", "-o", condition("AddressConflict"))
		if err != nil || strings.HasPrefix(out, "True") {
			return errStill(out)
		}
		return nil
	})
	west.eventually(func() error {
		if got := answers(west, address); got != easts {
			return fmt.Errorf("in the west %s is at %q, want the pod of the east, %s", address, got, easts)
		}
		return nil
	})

	t.Log("an address that the other side announces is not given to a pod here")
	west.apply(pod("thief", "", asks("", address)))
	west.says(address, "get", "events", "--field-selector", "involvedObject.name=thief,reason=AddressElsewhere")
	east.kubectl("delete", "pod", "double")
	west.ready("thief")
}

// answers are the MAC addresses from which friend is told that they have the address.
func answers(p place, address string) string {
	p.Helper()
	out := p.exec("friend", "arping -c 3 -w 3 -I net1 "+address+" || true")
	var all []string
	for _, match := range regexp.MustCompile(`\[([0-9A-F:]{17})\]`).FindAllStringSubmatch(out, -1) {
		all = append(all, strings.ToLower(match[1]))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}
