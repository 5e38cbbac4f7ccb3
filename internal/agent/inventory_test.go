//go:build integration

package agent

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

// The inventory shows what is there: also what a pod has lost, and a host end
// without its port.
func TestInventory(t *testing.T) {
	p := plugger{links: link.New("/proc/sys"), ovs: connect(t, ovstest.StartOVN(t).Endpoint())}
	netns := nstest.NewNS(t)
	w := wire{
		host: link.HostEnd{Name: link.HostName("c1", "net1"), Owner: link.Owner{Container: "c1", IfName: "net1", Config: "l2sm"}},
		inner: link.Interface{
			Name: "net1", MAC: net.HardwareAddr{0x0a, 0x58, 0, 0, 0, 1}, MTU: 1400,
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd10::1/64")},
		},
	}
	w.port = ovs.Port{
		Name: w.host.Name, LogicalPort: "l2sm/default/a", MAC: w.inner.MAC.String(), Interface: "net1", Attachment: "uid-of-a",
		Sandbox: ovs.Sandbox{Container: "c1", IfName: "net1", Config: "l2sm", Netns: netns, PodNamespace: "default", PodName: "a", PodUID: "uid-of-pod-a"},
	}
	if err := p.plug(t.Context(), w.port.Sandbox, []wire{w}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.unplug(context.Background(), []string{w.host.Name}); err != nil {
			t.Error(err)
		}
	})

	want := inventory.Node{
		Node: "node-a",
		Ports: []inventory.Port{{
			Name: w.host.Name, LogicalPort: "l2sm/default/a", Attachment: "uid-of-a", MAC: "0a:58:00:00:00:01", Interface: "net1",
			Container: "c1", PodNamespace: "default", PodName: "a", PodUID: "uid-of-pod-a",
			Inner: inventory.Interface{Present: true, MAC: "0a:58:00:00:00:01", MTU: 1400, Addresses: []string{"10.0.0.1/24", "fd10::1/64"}},
		}},
		HostEnds: []inventory.HostEnd{{Name: w.host.Name, Container: "c1", IfName: "net1"}},
	}
	shows := func(reason string) {
		t.Helper()
		got, err := p.inventory(t.Context(), "node-a")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: inventory (-want +got):\n%s", reason, diff)
		}
	}
	shows("it is plugged")

	nstest.Do(t, netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		address, err := netlink.ParseAddr("10.0.0.1/24")
		if err != nil {
			return err
		}
		return netlink.AddrDel(inner, address)
	})
	want.Ports[0].Inner.Addresses = []string{"fd10::1/64"}
	shows("an address was taken away")

	nstest.Do(t, netns, func() error {
		inner, err := netlink.LinkByName("net1")
		if err != nil {
			return err
		}
		return netlink.LinkDel(inner)
	})
	want.Ports[0].Inner, want.HostEnds = inventory.Interface{}, nil
	want.Ports[0].Error = "" // ovs-vswitchd tells of the lost device in its own time
	got, err := p.inventory(t.Context(), "node-a")
	if err != nil {
		t.Fatal(err)
	}
	got.Ports[0].Error = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the interface was deleted: inventory (-want +got):\n%s", diff)
	}
}

// Of a node's own databases the inventory tells too, or nothing: part of it would read as
// if the rest were not there.
func TestInventoryOfZone(t *testing.T) {
	a := &Agent{plugger: plugger{links: link.New("/proc/sys"), ovs: connect(t, ovstest.StartOVN(t).Endpoint())}, config: Config{Node: "node-a"}}
	if all, err := a.gatherInventory(t.Context()); err != nil || all.Zone != nil {
		t.Errorf("without databases of its own: %v, %v", all.Zone, err)
	}
	zone := &inventory.Zone{}
	a.ShowZone(func(context.Context) (*inventory.Zone, error) { return zone, nil })
	if all, err := a.gatherInventory(t.Context()); err != nil || all.Zone != zone || all.Node != "node-a" {
		t.Errorf("with them: %v, %v", all, err)
	}
	away := errors.New("no connection")
	a.ShowZone(func(context.Context) (*inventory.Zone, error) { return nil, away })
	if _, err := a.gatherInventory(t.Context()); !errors.Is(err, away) {
		t.Errorf("while they are away: %v, want %v", err, away)
	}
}

func connect(t *testing.T, endpoint string) *ovs.Client {
	t.Helper()
	c, err := ovs.New(endpoint, logr.Discard(), func(ovs.Port) {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	gomega.NewWithT(t).Eventually(func() error { return c.Ready(t.Context()) }, "10s", "10ms").Should(gomega.Succeed())
	return c
}
