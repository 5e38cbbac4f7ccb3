//go:build integration

package evpn

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

func TestTwoSpeakers(t *testing.T) {
	t.Parallel()
	east, eastSaw := speak(t, "127.179.1.1")
	west, westSaw := speak(t, "127.179.1.2")
	eastAddress, westAddress := east.config.Address, west.config.Address
	ctx := t.Context()
	must(t,
		east.Announce(ctx, Route{RouteKey: RouteKey{Kind: Multicast, VNI: 5001}, MTU: 1442}, []string{"west"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, ""), Sequence: 7}, []string{"west"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "10.0.0.1"), Sequence: 7}, []string{"west"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "fd00::1"), Sequence: 7}, []string{"west"}),
		east.SetPeers(ctx, peersOf(map[string]string{"west": "127.179.1.2"})),
		west.SetPeers(ctx, peersOf(map[string]string{"east": "127.179.1.1"})),
	)
	eventually(t, westSaw.isUp(eastAddress)).Should(gomega.BeTrue())
	eventually(t, westSaw.of(eastAddress)).Should(gomega.Equal([]string{
		"5001 02:00:00:00:00:01 - seq 7 via 127.179.1.1",
		"5001 02:00:00:00:00:01 10.0.0.1 seq 7 via 127.179.1.1",
		"5001 02:00:00:00:00:01 fd00::1 seq 7 via 127.179.1.1",
		"5001 via 127.179.1.1 MTU 1442",
	}))
	eventually(t, func() int { westSaw.mu.Lock(); defer westSaw.mu.Unlock(); return westSaw.ends[eastAddress] }).Should(gomega.Equal(1))
	must(t,
		west.Announce(ctx, Route{RouteKey: macIP(5001, 2, "10.0.0.2")}, []string{"east"}),
		east.Withdraw(ctx, macIP(5001, 1, "fd00::1")),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, ""), Sequence: 9}, []string{"west"}),
		east.Announce(ctx, Route{RouteKey: RouteKey{Kind: Multicast, VNI: 5001}, MTU: 9000}, []string{"west"}),
	)
	eventually(t, westSaw.of(eastAddress)).Should(gomega.Equal([]string{
		"5001 02:00:00:00:00:01 - seq 9 via 127.179.1.1",
		"5001 02:00:00:00:00:01 10.0.0.1 seq 7 via 127.179.1.1",
		"5001 via 127.179.1.1 MTU 9000",
	}))
	eventually(t, eastSaw.of(westAddress)).Should(gomega.Equal([]string{"5001 02:00:00:00:00:02 10.0.0.2 seq 0 via 127.179.1.2"}))
	if len(east.ours) != 3 || east.dead != 0 {
		t.Errorf("routes that no peer may not know of are kept: %d, %d of them dead", len(east.ours), east.dead)
	}
	if n := east.Sent("west"); n != 3 {
		t.Errorf("Sent is %d, not 3", n)
	}
}

var _ Speaker = &GoBGP{}

// A route whose sequence is below that of its MAC address is raised: a pod that is bound
// again may be given one before its routes were withdrawn.
func TestSequenceDoesNotFall(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	east, _ := speak(t, "127.179.11.1")
	west, westSaw := speakTo(t, "127.179.11.2", "127.179.11.1")
	must(t, east.SetPeers(ctx, peersOf(map[string]string{"west": "127.179.11.2"})))
	say := func(address string, sequence uint32) {
		t.Helper()
		must(t, east.Announce(ctx, Route{RouteKey: macIP(5001, 1, address), Sequence: sequence}, []string{"west"}))
	}
	say("", 7)
	say("", 3)
	say("10.0.0.1", 2)
	eventually(t, westSaw.of(east.config.Address)).Should(gomega.Equal([]string{
		"5001 02:00:00:00:00:01 - seq 7 via 127.179.11.1", "5001 02:00:00:00:00:01 10.0.0.1 seq 7 via 127.179.11.1",
	}))
	must(t, east.Withdraw(ctx, macIP(5001, 1, "")), east.Withdraw(ctx, macIP(5001, 1, "10.0.0.1")))
	say("10.0.0.1", 2)
	eventually(t, westSaw.of(east.config.Address)).Should(gomega.Equal([]string{"5001 02:00:00:00:00:01 10.0.0.1 seq 2 via 127.179.11.1"}))
	must(t, east.Withdraw(ctx, macIP(5001, 1, "10.0.0.1")), west.SetPeers(ctx, nil))
	if len(east.sequences) != 0 {
		t.Errorf("of what is withdrawn it knows %v", east.sequences)
	}
}

// A route goes to those that it names, and nothing of it to others: not when it changes,
// not when it is withdrawn.
func TestNamedPeersOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	east, _ := speak(t, "127.179.2.1")
	_, westSaw := speakTo(t, "127.179.2.2", "127.179.2.1")
	_, northSaw := speakTo(t, "127.179.2.3", "127.179.2.1")
	must(t, east.SetPeers(ctx, peersOf(map[string]string{"west": "127.179.2.2", "north": "127.179.2.3"})))
	at := east.config.Address
	eventually(t, westSaw.ended(at)).Should(gomega.BeTrue())
	eventually(t, northSaw.ended(at)).Should(gomega.BeTrue())

	first := Route{RouteKey: macIP(5001, 1, "10.0.0.1")}
	must(t, east.Announce(ctx, first, []string{"west"}))
	eventually(t, westSaw.of(at)).Should(gomega.HaveLen(1))
	must(t, east.Announce(ctx, first, []string{"west", "north"}))
	eventually(t, northSaw.of(at)).Should(gomega.HaveLen(1))
	must(t, east.Announce(ctx, first, []string{"north"}))
	eventually(t, westSaw.of(at)).Should(gomega.BeEmpty())

	second := Route{RouteKey: macIP(5001, 2, "10.0.0.2")}
	must(t, east.Announce(ctx, second, []string{"north"}))
	eventually(t, northSaw.of(at)).Should(gomega.HaveLen(2))
	must(t, east.Withdraw(ctx, second.RouteKey))
	// What is sent later arrives later: after the last nothing is on the way.
	must(t, east.Announce(ctx, Route{RouteKey: macIP(5002, 3, "")}, []string{"west", "north"}))
	eventually(t, westSaw.of(at)).Should(gomega.HaveLen(1))
	eventually(t, northSaw.of(at)).Should(gomega.HaveLen(2))
	if n := westSaw.heardOf(mac(2)); n != 0 {
		t.Errorf("a peer that was not named heard %d times of the route", n)
	}
	if n := northSaw.heardOf(mac(2)); n != 2 {
		t.Errorf("the peer that was named heard %d times of the route, not that it came and went", n)
	}
	if east.dead != 1 {
		t.Errorf("%d routes wait until no peer learns of them by their end, not 1", east.dead)
	}
	// With the peer that must not know gone, it need not be kept.
	must(t, east.SetPeers(ctx, peersOf(map[string]string{"north": "127.179.2.3"})))
	if east.dead != 0 {
		t.Errorf("%d routes are kept for nobody", east.dead)
	}
}

// Routes that name a peer wait for it, and a peer that comes back gets them, and no
// other that got its place.
func TestPeersChange(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	east, _ := speak(t, "127.179.3.1")
	_, westSaw := speakTo(t, "127.179.3.2", "127.179.3.1")
	_, northSaw := speakTo(t, "127.179.3.3", "127.179.3.1")
	at := east.config.Address
	west := peersOf(map[string]string{"west": "127.179.3.2"})
	must(t, east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "")}, []string{"west"}), east.SetPeers(ctx, west))
	eventually(t, westSaw.of(at)).Should(gomega.HaveLen(1))
	must(t, east.SetPeers(ctx, nil))
	eventually(t, westSaw.isUp(at)).Should(gomega.BeFalse())
	if westSaw.isStale(at) {
		t.Error("a peer that is removed keeps our routes")
	}
	must(t, east.SetPeers(ctx, peersOf(map[string]string{"north": "127.179.3.3"})))
	eventually(t, northSaw.ended(at)).Should(gomega.BeTrue())
	if r := northSaw.of(at)(); len(r) != 0 {
		t.Errorf("another peer got its routes: %q", r)
	}
	must(t, east.SetPeers(ctx, append(west, peersOf(map[string]string{"north": "127.179.3.3"})...)))
	eventually(t, westSaw.isUp(at)).Should(gomega.BeTrue())
	eventually(t, westSaw.of(at)).Should(gomega.HaveLen(1))
}

func TestStrangerIsRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	east, eastSaw := speak(t, "127.179.4.1")
	stranger, strangerSaw := speakTo(t, "127.179.4.3", "127.179.4.1")
	must(t, stranger.Announce(ctx, Route{RouteKey: macIP(5001, 1, "")}, []string{"peer"}),
		east.SetPeers(ctx, peersOf(map[string]string{"west": "127.179.4.2"})))
	_, westSaw := speakTo(t, "127.179.4.2", "127.179.4.1")
	eventually(t, westSaw.isUp(east.config.Address)).Should(gomega.BeTrue())
	if strangerSaw.isUp(east.config.Address)() || len(eastSaw.of(stranger.config.Address)()) != 0 {
		t.Error("an address that is no peer has a session")
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	east, eastSaw := speak(t, "127.179.5.1")
	west, _ := speak(t, "127.179.5.2")
	set := func(s *GoBGP, of, password string) {
		t.Helper()
		p := peersOf(map[string]string{"peer": of})
		p[0].Password = password
		must(t, s.SetPeers(ctx, p))
	}
	up := eastSaw.isUp(west.config.Address)
	for _, password := range []string{"secret", "other"} {
		set(east, "127.179.5.2", password)
		// Without it, or with a wrong one, no session.
		set(west, "127.179.5.1", password+"wrong")
		gomega.NewWithT(t).Consistently(up).WithTimeout(4 * time.Second).Should(gomega.BeFalse())
		set(west, "127.179.5.1", password)
		eventually(t, up).Should(gomega.BeTrue())
		must(t, west.SetPeers(ctx, nil))
		eventually(t, up).Should(gomega.BeFalse())
	}
	// Nothing is left of a password when its peer is gone, or has none.
	must(t, east.SetPeers(ctx, nil))
	set(east, "127.179.5.2", "")
	set(west, "127.179.5.1", "")
	eventually(t, up).Should(gomega.BeTrue())
}

func TestImpossiblePeers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	east, eastSaw := speak(t, "127.179.6.1")
	west, _ := speakTo(t, "127.179.6.2", "127.179.6.1")
	good := peersOf(map[string]string{"west": "127.179.6.2"})
	for reason, bad := range map[string]Peer{
		"its ASN is 65001":             {Name: "x", ASN: 65001, Endpoints: good[0].Endpoints},
		"endpoint 127.179.6.2 is peer": {Name: "x", ASN: testASN, Endpoints: good[0].Endpoints},
		"of different families":        {Name: "x", ASN: testASN, Endpoints: []netip.Addr{netip.MustParseAddr("fd00::1")}},
		"TCP MD5 takes 80":             {Name: "x", ASN: testASN, Password: strings.Repeat("a", 81)},
	} {
		if err := east.SetPeers(ctx, append(slices.Clone(good), bad)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error %v does not say %q", err, reason)
		}
	}
	// It takes nothing from the others.
	eventually(t, eastSaw.isUp(west.config.Address)).Should(gomega.BeTrue())
	for _, r := range []Route{
		{RouteKey: RouteKey{Kind: 5, VNI: 1}},
		{RouteKey: RouteKey{Kind: Multicast}},
		{RouteKey: RouteKey{Kind: Multicast, VNI: 1 << 24}},
		{RouteKey: RouteKey{Kind: Multicast, VNI: 1, MAC: mac(1)}},
		{RouteKey: RouteKey{Kind: MACIP, VNI: 1}},
		{RouteKey: RouteKey{Kind: MACIP, VNI: 1, MAC: MAC{1}}},
	} {
		if east.Announce(ctx, r, nil) == nil {
			t.Errorf("%v is announced", r)
		}
	}
}

// A speaker that dies leaves its routes with the peers, and its successor's End-of-RIB
// ends what it did not announce again.
func TestSpeakerRestarts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, westSaw := speakTo(t, "127.179.7.2", "127.179.7.1")
	east, _ := speak(t, "127.179.7.1")
	at := east.config.Address
	must(t,
		east.Announce(ctx, Route{RouteKey: macIP(5001, 1, "")}, []string{"west"}),
		east.Announce(ctx, Route{RouteKey: macIP(5001, 2, "")}, []string{"west"}),
		east.SetPeers(ctx, peersOf(map[string]string{"west": "127.179.7.2"})),
	)
	eventually(t, westSaw.of(at)).Should(gomega.HaveLen(2))
	east.Close()
	eventually(t, westSaw.isUp(at)).Should(gomega.BeFalse())
	if !westSaw.isStale(at) {
		t.Fatal("its routes are not kept")
	}
	again, _ := speak(t, "127.179.7.1")
	must(t,
		again.Announce(ctx, Route{RouteKey: macIP(5001, 2, "")}, []string{"west"}),
		again.SetPeers(ctx, peersOf(map[string]string{"west": "127.179.7.2"})),
	)
	eventually(t, func() []string { westSaw.mu.Lock(); defer westSaw.mu.Unlock(); return slices.Clone(westSaw.order) }).Should(gomega.Equal([]string{
		"up=true stale=false", "received", "received", "end",
		"up=false stale=true", "up=true stale=false", "received", "end",
	}))
}
