package admission

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

func waiter(i int) types.NamespacedName { return key("default", fmt.Sprintf("w-%03d", i)) }

func askAddress(text string) ipam.Request {
	return ipam.Request{Addresses: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(text), -1)}}
}

// line has n attachments be refused, one after the other.
func line(t *testing.T, l *Ledger, network *v1alpha1.L2Network, n int, r ipam.Request, want string) {
	t.Helper()
	for i := range n {
		_, err := grant(l, network, waiter(i), "w", r)
		expectReason(t, "a waiter", want, err)
	}
}

func expectWoken(t *testing.T, why string, w *wakes, want ...types.NamespacedName) {
	t.Helper()
	if diff := cmp.Diff(want, w.woken()); diff != "" {
		t.Errorf("%s: woken: -want +got\n%s", why, diff)
	}
}

// As many are woken as can have what was released, in the order in which they
// were refused, and each has it in the end.
func TestOneIsWokenForEach(t *testing.T) {
	const waiters = 300
	network := net("small", "10.0.0.0/30") // two addresses
	l, w := opened(network)
	mustGrant(t, l, network, owner, "a")
	mustGrant(t, l, network, rival, "b")
	line(t, l, network, waiters, ipam.Request{}, v1alpha1.ReasonExhausted)
	expectWoken(t, "nothing was released", w)

	l.Withdraw(asks(owner, "a", "small"))
	expectWoken(t, "one address is one attachment's", w, waiter(0))
	l.Withdraw(asks(rival, "b", "small"))
	expectWoken(t, "the next address is the next one's, though the first has yet to come", w, waiter(1))
	for i := range waiters {
		mustGrant(t, l, network, waiter(i), "w")
		expectWoken(t, "to take what one was woken for wakes no other", w)
		l.Withdraw(asks(waiter(i), "w", "small"))
		if next := i + 2; next < waiters {
			expectWoken(t, "and so on", w, waiter(next))
		}
	}
	empty(t, l)
}

// Each kind of thing that others have is waited for in a line of its own.
func TestWaitsForWhatItLacks(t *testing.T) {
	guests := func(n *v1alpha1.L2Network) {
		n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, MaxAttachments: 1}
	}
	first, second, far := key("guests", "first"), key("guests", "second"), key("far", "first")
	theMAC := ipam.MAC{2, 0, 0, 0, 0, 9}
	cases := map[string]struct {
		reason  string
		network func(*v1alpha1.L2Network)
		holder  types.NamespacedName // has what the waiter lacks
		had     ipam.Request
		other   types.NamespacedName // has something else
		others  ipam.Request
		waiter  types.NamespacedName
		asked   ipam.Request
		want    string
	}{
		"Address":   {"a certain address", nil, owner, askAddress("10.0.0.7"), rival, askAddress("10.0.0.8"), waiter(0), askAddress("10.0.0.7"), v1alpha1.ReasonAddressTaken},
		"MAC":       {"a certain MAC address", nil, owner, ipam.Request{MAC: theMAC}, rival, ipam.Request{}, waiter(0), ipam.Request{MAC: theMAC}, v1alpha1.ReasonMACTaken},
		"Guests":    {"a place of the namespace", guests, first, ipam.Request{}, far, ipam.Request{}, second, ipam.Request{}, v1alpha1.ReasonTooMany},
		"GuestsOwn": {"which the network's own members don't take", guests, first, ipam.Request{}, owner, ipam.Request{}, second, ipam.Request{}, v1alpha1.ReasonTooMany},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("wide", "10.0.0.0/24")
			if tc.network != nil {
				tc.network(network)
			}
			l, w := opened(network)
			for who, r := range map[types.NamespacedName]ipam.Request{tc.holder: tc.had, tc.other: tc.others} {
				if _, err := grant(l, network, who, "x", r); err != nil {
					t.Fatal(err)
				}
			}
			_, err := grant(l, network, tc.waiter, "w", tc.asked)
			expectReason(t, tc.reason, tc.want, err)

			l.Withdraw(asks(tc.other, "x", "wide"))
			expectWoken(t, "what it does not wait for", w)
			l.Withdraw(asks(tc.holder, "x", "wide"))
			expectWoken(t, tc.reason, w, tc.waiter)
			_, err = grant(l, network, tc.waiter, "w", tc.asked)
			expectReason(t, "it was released", "", err)
			l.Withdraw(asks(tc.waiter, "w", "wide"))
			expectWoken(t, "no other waits", w)
			empty(t, l)
		})
	}
}

func TestEndsAreWaitedFor(t *testing.T) {
	link := net("link")
	link.Spec.Type = v1alpha1.VLink
	l, w := opened(link)
	mustGrant(t, l, link, owner, "a")
	mustGrant(t, l, link, rival, "b")
	line(t, l, link, 3, ipam.Request{}, v1alpha1.ReasonLinkFull)
	if err := adopt(l, link, holds(owner, "a", "link", mac(77))); err != nil {
		t.Fatal(err)
	}
	expectWoken(t, "an end that has another MAC address is still an end", w)
	l.Withdraw(asks(owner, "a", "link"))
	expectWoken(t, "an end is free", w, waiter(0))
}

// What a woken one does not take is the next one's.
func TestPassedOn(t *testing.T) {
	cases := map[string]struct {
		reason string
		does   func(l *Ledger, network *v1alpha1.L2Network)
		want   []types.NamespacedName
		first  types.NamespacedName // of those that wait then
	}{
		"Takes": {"it has it", func(l *Ledger, n *v1alpha1.L2Network) { _, _ = grant(l, n, waiter(0), "w", askAddress("10.0.0.7")) }, nil, waiter(1)},
		"Gone":  {"it is gone", func(l *Ledger, _ *v1alpha1.L2Network) { l.Gone(waiter(0)) }, []types.NamespacedName{waiter(1)}, waiter(2)},
		"Quits": {"its pod has ended", func(l *Ledger, _ *v1alpha1.L2Network) { l.Quit(waiter(0)) }, []types.NamespacedName{waiter(1)}, waiter(2)},
		"Canceled": {"it could not be written", func(l *Ledger, n *v1alpha1.L2Network) {
			_, _ = grant(l, n, waiter(0), "", askAddress("10.0.0.7"))
			l.Cancel(waiter(0), "")
		}, []types.NamespacedName{waiter(1)}, waiter(2)},
		"AsksAnother": {"it asks for another address, which it gets", func(l *Ledger, n *v1alpha1.L2Network) {
			_, _ = grant(l, n, waiter(0), "w", askAddress("10.0.0.9"))
		}, []types.NamespacedName{waiter(1)}, waiter(2)},
		"AsksTaken": {"it asks for another address, which is taken", func(l *Ledger, n *v1alpha1.L2Network) {
			_, _ = grant(l, n, waiter(0), "w", askAddress("10.0.0.8"))
		}, []types.NamespacedName{waiter(1)}, waiter(2)},
		"AsksNonsense": {"it asks for what can't be had", func(l *Ledger, n *v1alpha1.L2Network) {
			_, _ = grant(l, n, waiter(0), "w", askAddress("192.0.2.1"))
		}, []types.NamespacedName{waiter(1)}, waiter(2)},
		"Moves": {"it asks for another network", func(l *Ledger, _ *v1alpha1.L2Network) {
			_, _ = grant(l, net("elsewhere"), waiter(0), "w", ipam.Request{})
		}, []types.NamespacedName{waiter(1)}, waiter(2)},
		"MovesInVain": {"it is refused by another network", func(l *Ledger, _ *v1alpha1.L2Network) {
			_, _ = grant(l, net("elsewhere"), waiter(0), "w", askAddress("10.0.0.7"))
		}, []types.NamespacedName{waiter(1)}, waiter(2)},
		"Overtaken": {"a newcomer was faster: the place in line is kept", func(l *Ledger, n *v1alpha1.L2Network) {
			_, _ = grant(l, n, key("default", "new"), "n", askAddress("10.0.0.7"))
			_, _ = grant(l, n, waiter(0), "w", askAddress("10.0.0.7"))
		}, nil, waiter(0)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("wide", "10.0.0.0/24")
			l, w := opened(network, net("elsewhere"))
			for who, address := range map[types.NamespacedName]string{owner: "10.0.0.7", rival: "10.0.0.8"} {
				if _, err := grant(l, network, who, "x", askAddress(address)); err != nil {
					t.Fatal(err)
				}
			}
			line(t, l, network, 4, askAddress("10.0.0.7"), v1alpha1.ReasonAddressTaken)
			l.Withdraw(asks(owner, "x", "wide"))
			expectWoken(t, "the first in line", w, waiter(0))

			tc.does(l, network)

			expectWoken(t, tc.reason, w, tc.want...)
			n := l.network(network.Key())
			at := n.waiting.lines[addressToken(netip.MustParseAddr("10.0.0.7"))]
			if got := at.Front().Value; got != tc.first {
				t.Errorf("%s: the first in line is %v, want %v", tc.reason, got, tc.first)
			}
			for _, all := range [][]types.NamespacedName{{owner, rival, key("default", "new")}, {waiter(0), waiter(1), waiter(2), waiter(3)}} {
				for _, gone := range all {
					l.Gone(gone)
					for _, uid := range []types.UID{"x", "n", "w"} {
						l.Withdraw(asks(gone, uid, "wide"))
					}
				}
			}
			empty(t, l)
		})
	}
}

// One that has yet to be written and asks for something else by now may not get
// that: then it has nothing, and counts for nothing.
func TestPendingThatAsksInVain(t *testing.T) {
	network := net("wide", "10.0.0.0/24")
	network.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, MaxAttachments: 1}
	l, w := opened(network)
	guest := key("guests", "a")
	if _, err := grant(l, network, owner, "x", askAddress("10.0.0.7")); err != nil {
		t.Fatal(err)
	}
	if _, err := grant(l, network, guest, "", ipam.Request{}); err != nil {
		t.Fatal(err)
	}
	_, err := grant(l, network, key("guests", "b"), "b", ipam.Request{})
	expectReason(t, "the guest's one place is taken", v1alpha1.ReasonTooMany, err)
	_, err = grant(l, network, guest, "", askAddress("10.0.0.7"))
	expectReason(t, "what it asks for now is another's", v1alpha1.ReasonAddressTaken, err)
	expectWoken(t, "its place is free", w, key("guests", "b"))
	_, err = grant(l, network, key("guests", "b"), "b", ipam.Request{})
	expectReason(t, "and is taken", "", err)
	l.Gone(guest)
	for _, a := range []*v1alpha1.L2Attachment{asks(owner, "x", "wide"), asks(key("guests", "b"), "b", "wide")} {
		l.Withdraw(a)
	}
	l.Cancel(guest, "")
	empty(t, l)
}

// What is refused for reasons that no release mends waits for nothing, and costs
// nothing once it is gone.
func TestRefusedForGoodWaitsForNothing(t *testing.T) {
	l, w := opened(tiny())
	mustGrant(t, l, tiny(), owner, "a")
	for i := range 100 {
		_, err := grant(l, tiny(), key("guests", fmt.Sprint(i)), "g", ipam.Request{})
		expectReason(t, "a namespace that is not let in", v1alpha1.ReasonNotAllowed, err)
	}
	l.Withdraw(asks(owner, "a", "tiny"))
	expectWoken(t, "they lack no address", w)
	for i := range 100 {
		l.Gone(key("guests", fmt.Sprint(i)))
	}
	empty(t, l)
}

// A member that has another MAC address by now frees the one that it had, and
// not the address that it keeps.
func TestChangedLeaseFreesTheDifference(t *testing.T) {
	network := net("wide", "10.0.0.0/24")
	l, w := opened(network)
	if err := adopt(l, network, holds(owner, "a", "wide", mac(1), "10.0.0.7/24")); err != nil {
		t.Fatal(err)
	}
	line(t, l, network, 1, askAddress("10.0.0.7"), v1alpha1.ReasonAddressTaken)
	_, err := grant(l, network, rival, "b", ipam.Request{MAC: ipam.MAC{2, 0, 0, 0, 0, 1}})
	expectReason(t, "it waits for the MAC address", v1alpha1.ReasonMACTaken, err)
	if err := adopt(l, network, holds(owner, "a", "wide", mac(2), "10.0.0.7/24")); err != nil {
		t.Fatal(err)
	}
	expectWoken(t, "the MAC address is free", w, rival)
}
