//go:build integration

package agent

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
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
	told := 0
	complain := func(context.Context, v1alpha1.Event) { told++ }
	u := &underlay{log: logr.Discard(), complain: complain, seen: func([]netip.Addr, []link.Holder) {}, want: 1600}

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
		told = 0
		u.look(t.Context(), []netip.Addr{netip.MustParseAddr(step.ip)})
		if diff := cmp.Diff(step.complain, told > 0); diff != "" {
			t.Errorf("MTU %d, which is %s (-want +got complaint):\n%s", step.mtu, step.reason, diff)
		}
	}
}
