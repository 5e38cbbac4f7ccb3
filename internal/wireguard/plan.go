package wireguard

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// keepalive has WireGuard shake hands with a peer before anybody sends to it, and keep a
// firewall's state on the way.
const keepalive = 25 * time.Second

// SharedKeyError says that two endpoints list one key: WireGuard tells edges apart by it.
type SharedKeyError struct {
	Key Key
	// First has it, Second has not.
	First, Second netip.Addr
}

func (e *SharedKeyError) Error() string {
	return "public key " + e.Key.String() + " is listed for " + e.First.String() + " and for " + e.Second.String() +
		", and used for the first alone: every edge has keys of its own, see status.nodes of its cluster's L2Edge"
}

// plan is what is to be written.
type plan struct {
	change wgtypes.Config
	// switched says that an endpoint is sent to with another key than before.
	switched bool
	// shared are the SharedKeyErrors.
	shared error
}

// empty says that all is as it should be.
func (p plan) empty() bool {
	return p.change.PrivateKey == nil && p.change.ListenPort == nil && len(p.change.Peers) == 0
}

// decide compares the device with what it should be. The key that an endpoint is sent to
// with stays, as long as it is listed: with another no packet passes until it has shaken
// hands. Of the silent endpoints it is the one that has done so last.
func decide(is *wgtypes.Device, c Config, silent []netip.Addr) plan {
	var p plan
	if secret := c.PrivateKey.secret(); is.PrivateKey != *secret {
		p.change.PrivateKey = secret
	}
	if port := int(c.Port); is.ListenPort != port {
		p.change.ListenPort = &port
	}
	has := map[Key]wgtypes.Peer{}
	for _, peer := range is.Peers {
		has[Key(peer.PublicKey)] = peer
	}
	listed, shared := owners(c)
	p.shared = shared
	for _, endpoint := range slices.SortedFunc(maps.Keys(listed), netip.Addr.Compare) {
		keys := listed[endpoint]
		before := slices.IndexFunc(keys, func(k Key) bool { return sentTo(has[k], endpoint) })
		chosen := max(before, 0)
		if slices.ContainsFunc(silent, func(a netip.Addr) bool { return a.Unmap() == endpoint }) {
			chosen = latest(has, keys, chosen)
		}
		p.switched = p.switched || chosen != before
		for i, key := range keys {
			peer, there := has[key]
			if change, differs := alter(peer, there, want(key, endpoint, c.Port, i == chosen)); differs {
				p.change.Peers = append(p.change.Peers, change)
			}
			delete(has, key)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(has), func(a, b Key) int { return slices.Compare(a[:], b[:]) }) {
		p.change.Peers = append(p.change.Peers, wgtypes.PeerConfig{PublicKey: wgtypes.Key(key), Remove: true})
	}
	return p
}

// owners are the keys of each endpoint, each key once. This edge's own is nobody's: the
// device would leave it out without a word.
func owners(c Config) (map[netip.Addr][]Key, error) {
	listed := map[netip.Addr][]Key{}
	first := map[Key]netip.Addr{c.PrivateKey.Public(): c.Local.Unmap()}
	var shared []error
	for _, peer := range slices.SortedStableFunc(slices.Values(c.Peers), func(a, b Peer) int { return a.Endpoint.Unmap().Compare(b.Endpoint.Unmap()) }) {
		endpoint := peer.Endpoint.Unmap()
		for _, key := range peer.Keys {
			switch owner, taken := first[key]; {
			case !taken:
				first[key] = endpoint
				listed[endpoint] = append(listed[endpoint], key)
			case owner != endpoint:
				shared = append(shared, &SharedKeyError{Key: key, First: owner, Second: endpoint})
			}
		}
	}
	return listed, errors.Join(shared...)
}

// latest is which of the keys has shaken hands last; the one before where none has.
func latest(has map[Key]wgtypes.Peer, keys []Key, before int) int {
	last := before
	for i, key := range keys {
		// Unix, as "never" is told as the zero time or as 1970.
		if at := has[key].LastHandshakeTime; at.Unix() > 0 && at.After(has[keys[last]].LastHandshakeTime) {
			last = i
		}
	}
	return last
}

// want is the peer of one key of an endpoint. Only the chosen key's may send as the
// endpoint, and is sent to; others may shake hands.
func want(key Key, endpoint netip.Addr, port uint16, chosen bool) wgtypes.PeerConfig {
	var idle time.Duration
	p := wgtypes.PeerConfig{
		PublicKey: wgtypes.Key(key), Endpoint: net.UDPAddrFromAddrPort(netip.AddrPortFrom(endpoint, port)),
		PersistentKeepaliveInterval: &idle,
	}
	if chosen {
		idle = keepalive
		p.AllowedIPs = []net.IPNet{allowed(endpoint)}
	}
	return p
}

// alter is what has a peer be as wanted, and no more: what is written again interrupts, if
// for a moment. An endpoint that WireGuard has followed elsewhere is set back: two sides
// that were both led astray would never meet again.
func alter(is wgtypes.Peer, there bool, want wgtypes.PeerConfig) (wgtypes.PeerConfig, bool) {
	if !there {
		return want, true
	}
	change := wgtypes.PeerConfig{PublicKey: want.PublicKey, UpdateOnly: true}
	var differs bool
	if is.Endpoint == nil || unmapped(is.Endpoint) != unmapped(want.Endpoint) {
		change.Endpoint, differs = want.Endpoint, true
	}
	if is.PersistentKeepaliveInterval != *want.PersistentKeepaliveInterval {
		change.PersistentKeepaliveInterval, differs = want.PersistentKeepaliveInterval, true
	}
	if !slices.EqualFunc(is.AllowedIPs, want.AllowedIPs, func(a, b net.IPNet) bool { return a.String() == b.String() }) {
		change.AllowedIPs, change.ReplaceAllowedIPs, differs = want.AllowedIPs, true, true
	}
	return change, differs
}

// sentTo says whether the peer is the one that is sent to for the endpoint.
func sentTo(is wgtypes.Peer, endpoint netip.Addr) bool {
	address := allowed(endpoint)
	return slices.ContainsFunc(is.AllowedIPs, func(n net.IPNet) bool { return n.String() == address.String() })
}

// allowed is the address of the endpoint's edge within the tunnel, alone.
func allowed(endpoint netip.Addr) net.IPNet { return *host(Inside(endpoint)) }

// host is the network of one address.
func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

func unmapped(a *net.UDPAddr) netip.AddrPort {
	at := a.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
