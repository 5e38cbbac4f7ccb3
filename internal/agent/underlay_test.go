//go:build integration

package agent

import (
	"net"
	"net/netip"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"k8s.io/client-go/tools/events"
)

// Each state of the interface is complained of once.
func TestUnderlayLook(t *testing.T) {
	eth1 := netlink.NewVeth(netlink.LinkAttrs{Name: "eth1", MTU: 1500, TxQLen: -1})
	eth1.PeerName = "fabric"
	if err := netlink.LinkAdd(eth1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(eth1) })
	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}}
	if err := netlink.AddrAdd(eth1, address); err != nil {
		t.Fatal(err)
	}
	told := events.NewFakeRecorder(10)
	u := &underlay{log: logr.Discard(), recorder: told, node: "node-a", want: 1600}

	steps := []struct {
		reason   string
		mtu      int
		ip       string
		complain bool
	}{
		{"too little", 1500, "192.0.2.1", true},
		{"still so", 1500, "192.0.2.1", false},
		{"less than ever", 1400, "192.0.2.1", true},
		{"enough", 1600, "192.0.2.1", false},
		{"less again", 1400, "192.0.2.1", true},
		{"no interface of this node", 1400, "192.0.2.9", false},
	}
	for _, step := range steps {
		if err := netlink.LinkSetMTU(eth1, step.mtu); err != nil {
			t.Fatal(err)
		}
		u.look(netip.MustParseAddr(step.ip))
		if diff := cmp.Diff(step.complain, len(told.Events) > 0); diff != "" {
			t.Errorf("MTU %d, which is %s (-want +got complaint):\n%s", step.mtu, step.reason, diff)
		}
		for len(told.Events) > 0 {
			<-told.Events
		}
	}
}
