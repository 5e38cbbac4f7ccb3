package evpn

import (
	"maps"
	"net/netip"
	"sync"
)

// counts are numbers that both sides of the speaker write.
type counts struct {
	mu      sync.Mutex
	dropped map[netip.Addr]map[Drop]uint64
	limits  map[netip.Addr]int
	sent    map[string]int
}

func newCounts() counts {
	return counts{dropped: map[netip.Addr]map[Drop]uint64{}, limits: map[netip.Addr]int{}, sent: map[string]int{}}
}

// keep forgets endpoints that are no peers'.
func (c *counts) keep(wanted map[netip.Addr]neighbor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.dropped {
		if _, ok := wanted[a]; !ok {
			delete(c.dropped, a)
		}
	}
	for a := range c.limits {
		if _, ok := wanted[a]; !ok {
			delete(c.limits, a)
		}
	}
}

func (c *counts) limit(a netip.Addr, routes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits[a] = routes
}

func (c *counts) limitOf(a netip.Addr) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.limits[a]; ok {
		return l
	}
	return DefaultMaxRoutes
}

func (c *counts) drop(a netip.Addr, why Drop) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dropped[a] == nil {
		c.dropped[a] = map[Drop]uint64{}
	}
	c.dropped[a][why]++
}

func (c *counts) send(peer string, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent[peer] += by; c.sent[peer] == 0 {
		delete(c.sent, peer)
	}
}

// Dropped says how many routes of an endpoint were dropped since it is a peer's, and
// why.
func (s *GoBGP) Dropped(endpoint netip.Addr) map[Drop]uint64 {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return maps.Clone(s.counts.dropped[endpoint])
}

// Sent says how many routes of ours name a peer.
func (s *GoBGP) Sent(peer string) int {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.sent[peer]
}
