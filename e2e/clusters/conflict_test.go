//go:build e2e

package clusters

import (
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
		p.exec("friend", "ip neighbour flush dev net1; ping -c 5 -i 0.2 "+address)
		if got := p.exec("friend", "ip neighbour show "+address); !strings.Contains(got, mac) {
			t.Errorf("in the %s %s is %s, want its own pod's %s", p.side, address, got, mac)
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
	west.exec("friend", "ip neighbour flush dev net1; ping -c 5 -i 0.2 "+address)
	if got := west.exec("friend", "ip neighbour show "+address); !strings.Contains(got, easts) {
		t.Errorf("in the west %s is %s, want the pod of the east, %s", address, got, easts)
	}

	t.Log("an address that the other side announces is not given to a pod here")
	west.apply(pod("thief", "", asks("", address)))
	west.says(address, "get", "events", "--field-selector", "involvedObject.name=thief,reason=AddressTaken")
	east.kubectl("delete", "pod", "double")
	west.ready("thief")
}
