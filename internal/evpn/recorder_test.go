//go:build integration

package evpn

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"
)

// recorder are Events that remember.
type recorder struct {
	mu       sync.Mutex
	routes   map[netip.Addr]map[ID]Learned
	up       map[netip.Addr]bool
	stale    map[netip.Addr]bool
	why      map[netip.Addr]string
	ends     map[netip.Addr]int
	order    []string
	heard    map[MAC]int
	received chan Learned
}

func newRecorder() *recorder {
	return &recorder{
		routes: map[netip.Addr]map[ID]Learned{},
		up:     map[netip.Addr]bool{},
		stale:  map[netip.Addr]bool{},
		why:    map[netip.Addr]string{},
		ends:   map[netip.Addr]int{},
		heard:  map[MAC]int{},
	}
}

func (r *recorder) Received(endpoint netip.Addr, l Learned, withdrawn bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard[l.MAC]++
	if r.routes[endpoint] == nil {
		r.routes[endpoint] = map[ID]Learned{}
	}
	if withdrawn {
		r.order = append(r.order, "withdrawn")
		delete(r.routes[endpoint], l.ID)
		return
	}
	r.order = append(r.order, "received")
	r.routes[endpoint][l.ID] = l
	if r.received != nil {
		r.received <- l
	}
}

func (r *recorder) Session(endpoint netip.Addr, up, stale bool, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = append(r.order, fmt.Sprintf("up=%t stale=%t", up, stale))
	r.up[endpoint], r.stale[endpoint], r.why[endpoint] = up, stale, why
}

func (r *recorder) End(endpoint netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = append(r.order, "end")
	r.ends[endpoint]++
}

func (r *recorder) isUp(a netip.Addr) func() bool {
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.up[a]
	}
}

func (r *recorder) isStale(a netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stale[a]
}

func (r *recorder) ended(a netip.Addr) func() bool {
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.ends[a] > 0
	}
}

// heardOf is how often something was said of a MAC address.
func (r *recorder) heardOf(m MAC) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard[m]
}

// of are the routes of an endpoint, as "VNI kind MAC address sequence via".
func (r *recorder) of(a netip.Addr) func() []string {
	return func() []string {
		r.mu.Lock()
		defer r.mu.Unlock()
		var all []string
		for l := range maps.Values(r.routes[a]) {
			s := fmt.Sprintf("%d via %s", l.VNI, l.VTEP)
			if l.MTU != 0 {
				s += fmt.Sprintf(" MTU %d", l.MTU)
			}
			if l.Kind == MACIP {
				s = fmt.Sprintf("%d %s %s seq %d via %s", l.VNI, l.MAC, addressText(l.Address), l.Sequence, l.VTEP)
			}
			all = append(all, s)
		}
		slices.Sort(all)
		return all
	}
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

const (
	testASN  = 65000
	testPort = 1790
)

// speak starts a speaker on a loopback address.
func speak(t *testing.T, address string) (*GoBGP, *recorder) {
	t.Helper()
	r := newRecorder()
	s, err := NewSpeaker(t.Context(), Config{Address: netip.MustParseAddr(address), ASN: testASN, Port: testPort}, r, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, r
}

// speakTo starts a speaker whose one peer, named peer, is at another address.
func speakTo(t *testing.T, address, peer string) (*GoBGP, *recorder) {
	t.Helper()
	s, r := speak(t, address)
	must(t, s.SetPeers(t.Context(), peersOf(map[string]string{"peer": peer})))
	return s, r
}

func peersOf(names map[string]string) []Peer {
	var peers []Peer
	for name, address := range names {
		peers = append(peers, Peer{Name: name, ASN: testASN, Endpoints: []netip.Addr{netip.MustParseAddr(address)}})
	}
	return peers
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, f any) gomega.AsyncAssertion {
	t.Helper()
	return gomega.NewWithT(t).Eventually(f).WithTimeout(20 * time.Second).WithPolling(5 * time.Millisecond)
}

func macIP(vni uint32, i int, address string) RouteKey {
	k := RouteKey{Kind: MACIP, VNI: vni, MAC: mac(i)}
	if address != "" {
		k.Address = netip.MustParseAddr(address)
	}
	return k
}
