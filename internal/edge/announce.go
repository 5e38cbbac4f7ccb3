package edge

import (
	"bytes"
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
)

// host is an attachment as other sides see it.
type host struct {
	mac       evpn.MAC
	addresses []netip.Addr
}

// hostOf is the attachment's, where it is bound and accepted: the controller has said
// on which network, and its port exists.
func hostOf(a *v1alpha1.L2Attachment) (h host, is bool) {
	if a.Status.Network == nil || !a.Bound() || !a.Complete() || !a.DeletionTimestamp.IsZero() {
		return host{}, false
	}
	mac, err := net.ParseMAC(a.Spec.MACAddress)
	if err != nil || len(mac) != len(h.mac) {
		return host{}, false // the API admits MAC addresses only
	}
	h.mac = evpn.MAC(mac)
	for _, text := range a.Spec.Addresses {
		if p, err := netip.ParsePrefix(text); err == nil { // the API admits CIDRs only
			h.addresses = append(h.addresses, p.Addr())
		}
	}
	return h, true
}

// announced is a route of ours as it was announced: to whom, with which sequence, or MTU.
type announced struct {
	sequence uint32
	peers    string // sorted, with commas
	mtu      uint16
}

// routesOf are the keys of all routes that a host has: one for its MAC address, and one
// for each address with it (RFC 7432 section 9.1).
func routesOf(vni uint32, h host) []evpn.RouteKey {
	keys := []evpn.RouteKey{{Kind: evpn.MACIP, VNI: vni, MAC: h.mac}}
	for _, a := range h.addresses {
		keys = append(keys, evpn.RouteKey{Kind: evpn.MACIP, VNI: vni, MAC: h.mac, Address: a})
	}
	return keys
}

// steps are what brings what is announced to what is wanted. What is withdrawn goes
// first: a stale route to a MAC address loses frames, a missing one floods them.
func steps(have, want map[evpn.RouteKey]announced) (withdraw, announce []evpn.RouteKey) {
	for key := range have {
		if _, wanted := want[key]; !wanted {
			withdraw = append(withdraw, key)
		}
	}
	for key, w := range want {
		if h, has := have[key]; !has || h != w {
			announce = append(announce, key)
		}
	}
	slices.SortFunc(withdraw, compareKeys)
	slices.SortFunc(announce, compareKeys)
	return withdraw, announce
}

// compareKeys has the network's own route first: who gets it knows the network then.
func compareKeys(a, b evpn.RouteKey) int {
	return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.VNI, b.VNI), bytes.Compare(a.MAC[:], b.MAC[:]), a.Address.Compare(b.Address))
}

// sorted are the keys of a map, in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
